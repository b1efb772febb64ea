"""Archives of programs, unpacked into the cache once for all stacks."""

import stat
import tarfile
import zipfile
from pathlib import Path

from local.stack.setup import Setup
from toolchain import jars
from toolchain.cache import exclusive, whole_folder
from toolchain.jars import JarsError


def unpacked(setup: Setup, group: str) -> Path:
    """Return the folder with the content of a group's only file; unpack it if necessary.

    Raises:
        JarsError: the file has not been fetched, or this Python can't unpack it.
    """
    (archive,) = jars.paths(group)
    name = archive.name
    for ending in (".tar.gz", ".jar", ".zip"):
        name = name.removesuffix(ending)
    folder = setup.cache / "unpacked" / name
    if not folder.is_dir():
        with exclusive(folder.parent, print):
            if not folder.is_dir():
                with whole_folder(folder) as partial:
                    unpack(archive, partial)
    return folder


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive, or the only `.txz` of a jar; its checksum was compared when it was fetched."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            _extract_zip(zipped, folder)
    elif archive.suffix == ".jar":
        with zipfile.ZipFile(archive) as jar:
            _extract_inner(jar, archive, folder)
    else:
        with tarfile.open(archive) as packed:
            _extract(packed, folder)


def _extract_inner(jar: zipfile.ZipFile, archive: Path, folder: Path) -> None:
    (inner,) = (name for name in jar.namelist() if name.endswith(".txz"))
    try:
        with jar.open(inner) as file, tarfile.open(fileobj=file, mode="r|xz") as packed:
            _extract(packed, folder)
    except tarfile.CompressionError as error:
        raise JarsError(f"{archive} can't be unpacked: {error}. Take a Python that has its module lzma") from error


def _extract(packed: tarfile.TarFile, folder: Path) -> None:
    # Extract everything, which later Pythons require explicitly; the first releases of 3.11 had no filters.
    packed.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)
    packed.extractall(folder)


def _extract_zip(zipped: zipfile.ZipFile, folder: Path) -> None:
    zipped.extractall(folder)
    for member in zipped.infolist():
        # Python doesn't restore execute permissions; the upper half of the attributes is the Unix mode.
        if not member.is_dir() and (member.external_attr >> 16) & stat.S_IXUSR:
            (folder / member.filename).chmod(0o755)
