"""The jar of `jvm/` for a Flink without the rest of Millrace: `python -m toolchain.flink_jar` writes it into `dist/`.

`docs/jar.md` shows what is in it.
"""

import sys
import tempfile
import tomllib
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from connectors.settings import SettingsError
from toolchain import jars
from toolchain.build import SOURCES, CompileError
from toolchain.cache import CacheError, make_folder
from toolchain.flink_home import extensions
from toolchain.jars import JarsError
from toolchain.java import JavaError

CHECKOUT = Path(__file__).parents[1]
BUNDLED = "re2j"
"""Library by which `guarded-json` compiles the patterns of a schema; Flink doesn't have it."""
LICENSES = {
    "META-INF/LICENSE": CHECKOUT / "LICENSE",
    "META-INF/licenses/LICENSE.re2j": SOURCES / "licenses" / "LICENSE.re2j",
}


def write(folder: Path) -> Path:
    """Write `millrace-flink-<version>.jar` into a folder; the same sources give the same bytes.

    Raises:
        toolchain.build.CompileError: our Java sources don't compile.
        toolchain.jars.JarsError: a jar has not been fetched.
        OSError: the folder can't be written.
    """
    (bundled,) = (path for path in jars.paths("flink") if path.name.startswith(f"{BUNDLED}-"))
    entries = {name: path.read_bytes() for name, path in LICENSES.items()}
    for jar in (bundled, extensions()):
        with ZipFile(jar) as archive:
            entries |= {name: archive.read(name) for name in archive.namelist() if _is_kept(name)}
    target = make_folder(folder) / f"millrace-flink-{_version()}.jar"
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as scratch:
        unfinished = Path(scratch, target.name)
        with ZipFile(unfinished, "w") as archive:
            for name in sorted(entries):
                archive.writestr(ZipInfo(name), entries[name])  # with a fixed date
        unfinished.chmod(0o644)
        unfinished.replace(target)
    return target


def _is_kept(name: str) -> bool:
    return not name.endswith("/") and name != "META-INF/MANIFEST.MF"


def _version() -> str:
    return str(tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def main() -> int:
    """Print the jar's path and size."""
    try:
        jar = write(CHECKOUT / "dist")
    except (CompileError, JarsError, CacheError, JavaError, SettingsError, OSError) as error:
        print(f"jar: {error}", file=sys.stderr)
        return 1
    print(f"jar: {jar} {jar.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
