"""Provides a Python with the peers' packages, in the cache: created once for each lock and Python version."""

import hashlib
import subprocess
import sys
from pathlib import Path

from toolchain.cache import cache_directory, exclusive, whole_folder

LOCK = Path(__file__).with_name("requirements.lock")


def interpreter() -> Path:
    """Return the interpreter of an environment with what requirements.lock pins; create it if it is missing.

    Raises:
        subprocess.CalledProcessError: pip failed; it has printed why.
    """
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    name = f"{version}-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    folder = cache_directory() / "bench-peers" / name
    if not folder.is_dir():
        with exclusive(folder.parent, print):
            if not folder.is_dir():
                print("fetching bytewax, quixstreams and confluent-kafka into the cache", flush=True)
                with whole_folder(folder) as partial:
                    subprocess.run([sys.executable, "-m", "venv", str(partial)], check=True)
                    pip = [str(partial / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
                    subprocess.run([*pip, "--requirement", str(LOCK)], check=True)
    return folder / "bin" / "python"
