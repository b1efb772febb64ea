"""Temporary folders of runs, and paths that Flink's programs can use whatever folders they are in."""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from toolchain.cache import CacheError, exclusive, make_folder, require_free

TEMPORARY_BYTES = 96_000_000
"""Required space for temporary files: what Flink unpacks, its planner and its network layer, and the code sent with a
job."""
PREFIX = "millrace-scratch-"
PLAIN = re.compile(r"[^\s'\"\\$*?\[:,;]+")
"""Pattern of a path that is one word for a shell, one string for Python, and one entry in a list of paths."""
LINKS = Path("/var/tmp")
"""Folder that every user can write to, whose own path is plain, and that outlives a session."""


def temporary_folder() -> Path:
    """Return the folder of `TMPDIR`, or the system's if that can't be used, with room for one program's files.

    Raises:
        CacheError: there is no such folder, or no room in it.
    """
    try:
        folder = Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise CacheError(f"there is no folder for temporary files: set TMPDIR to one ({error})") from error
    require_free(folder, TEMPORARY_BYTES, "TMPDIR")
    return folder


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a temporary folder, with a plain path, that is removed at the end.

    Folders that killed runs have left are removed first.

    Raises:
        CacheError: there is no folder for temporary files, or no room in it.
    """
    parent = plain_path(temporary_folder())
    for left in parent.glob(f"{PREFIX}*"):
        _remove_unless_held(left)
    made = Path(tempfile.mkdtemp(prefix=".millrace-", dir=parent))
    with exclusive(made, print):
        # It gets its name once it is locked, so that no other run removes it as an abandoned one.
        folder = made.rename(made.with_name(made.name.replace(".millrace-", PREFIX)))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_unless_held(folder: Path) -> None:
    """Remove a folder whose process has ended; another user's folder is left alone."""
    with suppress(OSError):
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def plain_path(path: Path) -> Path:
    """Return the path, or that of a link to it if it has a space or a quote.

    PyFlink's script for Python workers splits the interpreter's path at spaces, and pemja puts the paths of code
    between quotes, without escaping any.

    Raises:
        CacheError: no link can be made.
    """
    if PLAIN.fullmatch(str(path)):
        return path
    folder = LINKS / f"millrace-links-{os.geteuid()}"
    link = folder / hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    try:
        make_folder(folder)
        if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
            raise PermissionError(f"{folder} belongs to another user")
        with suppress(FileExistsError):
            link.symlink_to(path)
    except OSError as error:
        raise CacheError(
            f"Flink can't use {path}, which has a space, a quote or a separator, and no link to it can be made "
            f"({error}): choose a path without"
        ) from error
    return link
