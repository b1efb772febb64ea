"""Folders that several clones share, written so that no reader sees an incomplete file."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.settings import Settings, own_folder


class CacheError(RuntimeError):
    """A folder can't be used; the text says why, and which variable sets another."""


def cache_directory() -> Path:
    """Return the folder of `MILLRACE_CACHE`, or the default for this user; it may not exist yet.

    Raises:
        SettingsError: it can't be one.
    """
    return own_folder(Settings.from_environment().cache, "cache", _default)


def _default() -> Path:
    if os.geteuid() == 0:
        return Path("/var/cache/millrace")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "millrace"


def make_folder(folder: Path) -> Path:
    """Create a folder and its parents so that other users can enter them whatever the umask: servers run as another
    user."""
    for missing in reversed([f for f in (folder, *folder.parents) if not f.exists()]):
        missing.mkdir(exist_ok=True)
        missing.chmod(0o755)
    return folder


def make_readable(path: Path) -> None:
    """Let other users read a file or a whole folder whatever the umask, and execute what its owner can."""
    inside = path.rglob("*") if path.is_dir() else ()
    for each in (path, *inside):
        if not each.is_symlink():
            each.chmod(0o755 if each.is_dir() or os.access(each, os.X_OK) else 0o644)


DISKS = "MILLRACE_CACHE (downloads) or MILLRACE_STATE (the stack's data)"


def require_free(folder: Path, needed: int, chosen_with: str = DISKS) -> None:
    """Check that a folder, existing or not, has this many bytes of disk left.

    Args:
        chosen_with: the variables that set another folder.

    Raises:
        CacheError: it hasn't.
    """
    free = free_bytes(folder)
    if free < needed:
        raise CacheError(
            f"{folder} has {_size(free)} of disk left, but {_size(needed)} are needed: make room, or choose another "
            f"disk with {chosen_with}"
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def free_bytes(folder: Path) -> int:
    """Return how many bytes of disk are free where a folder is or will be."""
    return shutil.disk_usage(next(f for f in (folder, *folder.parents) if f.exists())).free


@contextmanager
def exclusive(folder: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold a folder's lock file; the system frees it when the process ends, however it ends.

    Args:
        waiting: gets a message when another process holds it.

    Raises:
        CacheError: the folder can't be written.
    """
    try:
        descriptor = os.open(make_folder(folder) / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise CacheError(
            f"{folder} can't be written ({error}): choose another with MILLRACE_CACHE or MILLRACE_STATE"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting(f"{folder} is being written already; waiting until that is done")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder to fill, which becomes `folder` when the block succeeds; hold the parent's lock around it."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make_folder(partial)
    try:
        yield partial
        make_readable(partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
