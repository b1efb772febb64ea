"""Installs what is missing: `.venv` according to requirements.lock, then jars and JVM extensions.

pip installs uv, and uv all other packages, in a tenth of the time. Standard library only: this runs before anything is
installed.
"""

import hashlib
import json
import math
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.process_environment import PYTHON, child_environment
from connectors.settings import PATH_ENDS, SettingsError, state_directory
from local.settings import CHECKOUT
from toolchain.cache import CacheError, cache_directory, exclusive, require_free, whole_folder
from toolchain.pinned_jars import missing

PACKAGES_BYTES = 1_300_000_000
"""Disk space that the cache's packages take, and again those of an environment, with a margin."""
FETCH_ADVICE = (
    "The Python packages could not be had (see above). They come from the index that pip is configured with. With a "
    "network, run the same command again; without one, set MILLRACE_CACHE to a cache that was filled from it elsewhere"
)
FROM_PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "client-cert": "SSL_CLIENT_CERT",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
}
"""Options of pip, and the variables in which uv takes their values."""
PIP_TRUE = {"y", "yes", "t", "true", "on", "1"}
CONFIGURATION_OF_PIP = """
import json
from pip._internal.configuration import Configuration
configuration = Configuration(isolated=False)
configuration.load()
print(json.dumps(dict(configuration.items())))
"""
"""Not `pip config list`, which follows options of the same configuration: with `quiet` it lists nothing."""

PATH_ORDER = (
    "import os, sys; sys.path.sort("
    "key=[*map(os.path.abspath, os.environ.get('PYTHONPATH', '').split(os.pathsep))].__contains__)\n"
)
"""Code that Python runs before anything else. Packages in `PYTHONPATH`, such as another Spark's py4j, would otherwise
take precedence over those of `.venv`; PyFlink and we use the variable for folders whose names are in no package."""


class InstallError(RuntimeError):
    """The installation can't continue; the text says why, and what to do."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment of a checkout, and the stamp that records what it was made from."""

    checkout: Path
    python_tag: str

    @property
    def folder(self) -> Path:
        """Folder of the environment."""
        return self.checkout / ".venv"

    @property
    def python(self) -> Path:
        """Path of its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def lock(self) -> Path:
        """Path of the file that pins its packages."""
        return self.checkout / "requirements.lock"

    def is_current(self) -> bool:
        """Return whether it is complete, made from this lock, by this Python version, in this folder, and can run."""
        stamp = self.folder / "millrace.stamp"
        return stamp.is_file() and stamp.read_text() == self._stamp() and os.access(self.python, os.X_OK)

    def mark_current(self) -> None:
        """Write the stamp, once the environment is complete."""
        (self.folder / "millrace.stamp").write_text(self._stamp())

    def order_path(self) -> None:
        """Make its Python search `PYTHONPATH` last, from its start on, unless it does so already."""
        if self._path_file.parent.is_dir() and not self._path_file.exists():
            self._path_file.write_text(PATH_ORDER)

    @property
    def _path_file(self) -> Path:
        version = self.python_tag.removeprefix("cp")
        return self.folder / "lib" / f"python{version[0]}.{version[1:]}" / "site-packages" / "_millrace.pth"

    def _stamp(self) -> str:
        return f"{self._lock_hash()}\n{self.python_tag}\n{self.folder}\n"

    def _lock_hash(self) -> str:
        return hashlib.sha256(self.lock.read_bytes()).hexdigest()


def main() -> int:
    """Install what is missing; print nothing if nothing is."""
    os.umask(0o022)  # Servers run as another user, who has to read all of it; uv's cache keeps the modes of files.
    try:
        install(Environment(CHECKOUT, f"cp{sys.version_info.major}{sys.version_info.minor}"))
    except (InstallError, CacheError, SettingsError) as error:
        print(f"millrace: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("millrace: interrupted; run the same command again to continue", file=sys.stderr)
        return 130
    return 0


def install(environment: Environment) -> None:
    """Make the virtual environment, and fetch and build what Java needs, each only if it is missing.

    Raises:
        InstallError: something can't be installed.
        CacheError: a folder can't be written, or its disk is full.
    """
    if re.search(f"[{PATH_ENDS}]", str(environment.checkout)):
        raise InstallError(
            f"no colon, comma or semicolon can be in the path of this checkout: move {environment.checkout}"
        )
    if environment.is_current() and not missing():
        environment.order_path()
        return
    with exclusive(state_directory(), print):
        started = time.monotonic()
        if not environment.is_current():
            _make(environment)
        _run(
            [str(environment.python), "-m", "tools.prepare"],
            child_environment(),
            "The jars could not be made ready (see above)",
        )
        print(f"millrace: installed in {time.monotonic() - started:.0f} s", flush=True)


def _make(environment: Environment) -> None:
    print(f"millrace: making {environment.folder} with Python {sys.version.split()[0]} ({sys.executable})", flush=True)
    require_free(environment.checkout, PACKAGES_BYTES)
    shutil.rmtree(environment.folder, ignore_errors=True)
    venv = [sys.executable, "-m", "venv", str(environment.folder)]
    _run(venv, child_environment(patterns=PYTHON), f"{sys.executable} could not make a virtual environment")
    cache = cache_directory() / "uv"
    with exclusive(cache, print):
        _install_uv(environment, cache)
        install_packages(environment, cache / "packages")
    environment.order_path()
    environment.mark_current()


def _install_uv(environment: Environment, cache: Path) -> None:
    """Install the uv that requirements.lock pins; the cache keeps its wheel for clones without a network."""
    pin = uv_pin(environment.lock.read_text())
    folder = cache / pin.split()[0]
    pip = [str(environment.python), "-m", "pip"]
    if not folder.is_dir():
        print(f"millrace: fetching uv into {folder} (20 MB)", flush=True)
        with whole_folder(folder) as partial:
            lock = partial / environment.lock.name
            lock.write_text(pin)
            fetch = [*pip, "wheel", "--no-deps", "--require-hashes", "--wheel-dir", str(partial)]
            _run([*fetch, "--requirement", str(lock)], child_environment(patterns=PYTHON), FETCH_ADVICE)
    install = [*pip, "--isolated", "install", "--quiet", "--no-index", "--no-deps", *map(str, folder.glob("*.whl"))]
    _run(install, without_pip_configuration(), f"Remove {folder} and run the same command again")


def uv_pin(lock: str) -> str:
    """Return the lines of a lock that pin uv, with its hashes."""
    pins: list[str] = re.findall(r"^uv==.+(?:\n .+)*", lock, re.MULTILINE)
    return pins[0]


def install_packages(environment: Environment, cache: Path) -> None:
    """Install everything that requirements.lock pins: from the cache if it is complete, else from pip's index.

    Raises:
        InstallError: a package can't be had, or isn't the one that was pinned.
        CacheError: the disk of the cache is full.
    """
    options = pip_options(environment.python)
    variables = uv_environment(options)
    uv = [str(environment.python.with_name("uv")), "pip", "install", "--no-config", "--python", str(environment.python)]
    uv += ["--cache-dir", str(cache), "--no-deps", "--require-hashes", "--requirement", str(environment.lock)]
    # Not left to the first import: servers that run as another user can't write bytecode into this folder.
    uv += ["--compile-bytecode"]
    uv += ["--no-index"] if options.get("no-index", "").lower() in PIP_TRUE else []
    if cache.is_dir():
        print(f"millrace: installing from {cache} (up to half a minute)", flush=True)
        if (
            subprocess.run([*uv, "--offline"], env=variables, cwd=CHECKOUT, capture_output=True, check=False).returncode
            == 0
        ):
            return
    require_free(cache, PACKAGES_BYTES)
    print(f"millrace: fetching packages into {cache} (520 MB; Flink alone is 330 MB)", flush=True)
    _run(uv, variables, FETCH_ADVICE)


def pip_options(python: Path) -> dict[str, str]:
    """Return how pip is configured to download, by files and variables.

    Raises:
        InstallError: pip can't read its configuration.
    """
    command = [str(python), "-c", CONFIGURATION_OF_PIP]
    listed = subprocess.run(command, env=child_environment(patterns=PYTHON), stdout=subprocess.PIPE, check=False)
    if listed.returncode != 0:
        raise InstallError("pip can't read its configuration (see above): correct it, then run the same command again")
    values: dict[str, str] = json.loads(listed.stdout)
    return {
        name.removeprefix(section): value
        for section in ("global.", "wheel.", ":env:.")
        for name, value in values.items()
        if name.startswith(section)
    }


def uv_environment(options: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which uv ignores its own configuration and follows pip's.

    Args:
        options: those of `pip_options`.
    """
    own = {FROM_PIP[name]: value.strip() for name, value in options.items() if name in FROM_PIP}
    if proxy := options.get("proxy"):  # pip's option comes before the variables
        own |= dict.fromkeys(
            ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), proxy
        )
    if seconds := own.get("UV_HTTP_TIMEOUT"):
        own["UV_HTTP_TIMEOUT"] = str(math.ceil(float(seconds)))
    own |= {"UV_PYTHON_DOWNLOADS": "never", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    # Not linked, as is uv's default: an edit of a file of `.venv` would change it for other clones, too.
    own["UV_LINK_MODE"] = "copy"
    for several in own.keys() & {"UV_INDEX", "UV_INSECURE_HOST"}:
        own[several] = " ".join(own[several].split())
    if links := own.pop("UV_FIND_LINKS", ""):
        # pip only warns of a folder that isn't there.
        given = [link if "://" in link else str(Path(link).expanduser()) for link in links.split()]
        own["UV_FIND_LINKS"] = ",".join(link for link in given if "://" in link or Path(link).is_dir())
    if bundle := options.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE"):
        certificates = Path(bundle).expanduser()
        own["SSL_CERT_DIR" if certificates.is_dir() else "SSL_CERT_FILE"] = str(certificates)
    elif ssl.get_default_verify_paths().cafile:
        own["UV_SYSTEM_CERTS"] = "1"
    return child_environment(own, (*PYTHON, "UV_*"))


def without_pip_configuration() -> dict[str, str]:
    """Return an environment in which pip ignores the user's configuration."""
    own = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return child_environment(own, (*PYTHON, "PIP_*"))


def _run(command: Sequence[str], variables: Mapping[str, str], advice: str) -> None:
    done = subprocess.run(command, env=variables, cwd=CHECKOUT, check=False)
    if done.returncode != 0:
        raise InstallError(advice)


if __name__ == "__main__":
    sys.exit(main())
