"""Where is a program that comes packed? In the cache, unpacked once for all stacks."""

import tarfile
import zipfile
from pathlib import Path

from connectors import jars
from connectors.cache import exclusive, whole_folder
from connectors.jars import JarsError
from local.stack.setup import Setup


def unpacked(setup: Setup, group: str) -> Path:
    """The folder of what a group's only file holds, unpacked now unless it was before.

    Raises:
        JarsError: it has not been fetched, or this Python can't unpack it.
    """
    (archive,) = jars.paths(group)
    folder = setup.cache / "unpacked" / archive.name.removesuffix(".tar.gz").removesuffix(".jar")
    if not folder.is_dir():
        with exclusive(folder.parent, print):
            if not folder.is_dir():
                with whole_folder(folder) as partial:
                    unpack(archive, partial)
    return folder


def unpack(archive: Path, folder: Path) -> None:
    """What is in the archive, or in the only `.txz` of a jar; its checksum was compared when it was fetched."""
    if archive.suffix != ".jar":
        with tarfile.open(archive) as packed:
            _extract(packed, folder)
        return
    with zipfile.ZipFile(archive) as jar:
        (inner,) = (name for name in jar.namelist() if name.endswith(".txz"))
        try:
            with jar.open(inner) as file, tarfile.open(fileobj=file, mode="r|xz") as packed:
                _extract(packed, folder)
        except tarfile.CompressionError as error:
            raise JarsError(f"{archive} can't be unpacked: {error}. Take a Python that has its module lzma") from error


def _extract(packed: tarfile.TarFile, folder: Path) -> None:
    # All of it, as later Pythons want to be told; the first of 3.11 had no filters yet.
    packed.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)
    packed.extractall(folder)
