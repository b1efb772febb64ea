"""Programs that come packed, with real archives."""

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from local.stack.archives import unpack


def write_tar(file: io.BytesIO, mode: str) -> None:
    with tarfile.open(fileobj=file, mode=mode) as archive:
        program = tarfile.TarInfo("bin/program")
        program.mode, program.size = 0o755, 5
        archive.addfile(program, io.BytesIO(b"hello"))
        link = tarfile.TarInfo("bin/link")
        link.type, link.linkname = tarfile.SYMTYPE, "program"
        archive.addfile(link)


@pytest.fixture(params=["program.tar.gz", "program.jar"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    content = io.BytesIO()
    if path.suffix == ".gz":
        write_tar(content, "w:gz")
        path.write_bytes(content.getvalue())
    else:
        write_tar(content, "w:xz")
        with zipfile.ZipFile(path, "w") as jar:
            jar.writestr("META-INF/MANIFEST.MF", "")
            jar.writestr("program-linux.txz", content.getvalue())
    return path


def test_archive_also_in_a_jar_is_unpacked_with_links_and_modes(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"

    unpack(archive, folder)

    assert (folder / "bin" / "link").read_bytes() == b"hello"
    assert (folder / "bin" / "program").stat().st_mode & 0o777 == 0o755


def test_only_executables_of_a_zip_are_executable_when_unpacked(tmp_path: Path) -> None:
    archive, folder = tmp_path / "program.zip", tmp_path / "unpacked"
    with zipfile.ZipFile(archive, "w") as zipped:
        for name, mode in (("program-1/bin/program", 0o755), ("program-1/README", 0o640)):
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            zipped.writestr(member, "hello")

    unpack(archive, folder)

    assert os.access(folder / "program-1" / "bin" / "program", os.X_OK)
    assert not (folder / "program-1" / "README").stat().st_mode & stat.S_IXUSR
    assert (folder / "program-1" / "README").read_text() == "hello"
