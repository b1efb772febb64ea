"""Fetches a Chromium and the rules of axe into the cache, for the tests of the live page; both pinned, from npm.

npm knows the registry and its login; its Node.js unpacks what is compressed with brotli. Nothing of it is needed to run
Millrace, nor is npm: where it is missing, these tests are skipped.
"""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from connectors.process_environment import child_environment
from toolchain.cache import cache_directory, exclusive, require_free, whole_folder
from toolchain.download import sha256

FETCH_SECONDS = 600
UNPACKED_BYTES = 350_000_000
UNPACK = """
const fs = require("fs"), zlib = require("zlib"), { pipeline } = require("stream/promises");
pipeline(fs.createReadStream(process.argv[1]), zlib.createBrotliDecompress(), fs.createWriteStream(process.argv[2]));
"""
FONTS_CONF = """<?xml version="1.0"?>
<fontconfig><dir prefix="relative">fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
"""


class BrowserError(RuntimeError):
    """There is no browser, and it can't be fetched; the text says why."""


@dataclass(frozen=True)
class NpmPackage:
    """A package of npm, of which the content is known."""

    name: str
    version: str
    sha256: str
    """Checksum of its archive."""


CHROMIUM = NpmPackage(
    "@sparticuz/chromium", "153.0.0", "20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0"
)
AXE = NpmPackage("axe-core", "4.14.1", "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745")


@dataclass(frozen=True)
class Browser:
    """What runs the tests of the page."""

    program: Path
    variables: Mapping[str, str]
    """Environment in which it finds its libraries and fonts."""
    axe: Path
    """Script with the rules of accessibility."""


def browser(report: Callable[[str], None]) -> Browser:
    """Return the browser of the cache, which is fetched first if it isn't there.

    Raises:
        BrowserError: it can't be fetched.
        CacheError: there is no room for it.
    """
    root = cache_directory() / "browser"
    folder = root / f"chromium-{CHROMIUM.version}-axe-{AXE.version}"
    if not folder.is_dir():
        if not (shutil.which("npm") and shutil.which("node")):
            raise BrowserError("there is no Chromium in the cache, and no npm that fetches it")
        with exclusive(root, report):
            if not folder.is_dir():
                require_free(root, UNPACKED_BYTES)
                report(f"fetching Chromium {CHROMIUM.version} and axe {AXE.version}")
                with whole_folder(folder) as partial:
                    _fill(partial)
    variables = {"LD_LIBRARY_PATH": str(folder / "lib"), "FONTCONFIG_FILE": str(folder / "fonts.conf")}
    return Browser(folder / "chromium", variables, folder / "axe.min.js")


def _fill(folder: Path) -> None:
    """Put the browser, its libraries and fonts, and the rules into a folder."""
    with tarfile.open(_fetched(AXE, folder)) as archive:
        (folder / "axe.min.js").write_bytes(_content(archive, "package/axe.min.js"))
    with tarfile.open(_fetched(CHROMIUM, folder)) as archive:
        for name in ("chromium", "al2023.tar", "fonts.tar"):
            (folder / f"{name}.br").write_bytes(_content(archive, f"package/bin/{name}.br"))
            _run("node", "-e", UNPACK, f"{folder / name}.br", str(folder / name))
    for name in ("al2023.tar", "fonts.tar"):
        with tarfile.open(folder / name) as archive:
            archive.extractall(folder, filter="data")
        (folder / name).unlink()
    (folder / "fonts.conf").write_text(FONTS_CONF)
    (folder / "chromium").chmod(0o755)
    for compressed in (*folder.glob("*.br"), *folder.glob("*.tgz")):
        compressed.unlink()


def _fetched(package: NpmPackage, folder: Path) -> Path:
    before = {*folder.glob("*.tgz")}
    _run("npm", "pack", "--silent", "--pack-destination", str(folder), f"{package.name}@{package.version}")
    [archive] = {*folder.glob("*.tgz")} - before
    if (got := sha256(archive)) != package.sha256:
        raise BrowserError(f"npm has another {package.name} {package.version} than the pinned one: sha256 {got}")
    return archive


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise BrowserError(f"{name} is no file of its package")
    return member.read()


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [shutil.which(program) or program, *arguments],
        env=child_environment(),
        cwd=os.sep,
        capture_output=True,
        text=True,
        timeout=FETCH_SECONDS,
        check=False,
    )
    if done.returncode:
        raise BrowserError(f"`{program} {arguments[0]}` failed: {done.stderr.strip()[-500:]}")
