"""Finds a Python that Millrace supports, and continues with `tools.install` in it.

This file is read by whatever Python the machine has, so it uses only what 3.8 understands.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SUPPORTED = ("3.12", "3.11")
"""Supported versions, preferred first; apache-flink 2.3 has wheels for these."""

PROBE = "import sys; print('.'.join(map(str, sys.version_info[:2]))); import venv, ensurepip"
PROBE_SECONDS = 20


def main() -> int:
    """Replace this process by the installation, run by a supported Python."""
    python, rejected = find_python(_candidates(os.environ.get("PATH", os.defpath)))
    if python is not None:
        os.execv(python, [python, "-E", "-m", "tools.install"])
    print(_complaint(rejected), file=sys.stderr)
    return 1


def find_python(candidates: list[str]) -> tuple[str | None, list[str]]:
    """Find the first candidate that runs, is supported and can make virtual environments.

    Returns:
        Its path or None, and why each candidate before it was rejected.
    """
    rejected: list[str] = []
    for candidate in candidates:
        fault = _fault_of(candidate)
        if fault is None:
            return candidate, rejected
        rejected.append(f"{candidate}: {fault}")
    return None, rejected


def _candidates(path: str) -> list[str]:
    """Return the running interpreter (of a virtual environment, the one that it was made with), then those on PATH."""
    folders = [Path(folder) for folder in path.split(os.pathsep) if folder]
    on_path = [str(folder / f"python{version}") for version in SUPPORTED for folder in folders]
    running = getattr(sys, "_base_executable", None) or sys.executable
    return [running, *(python for python in dict.fromkeys(on_path) if os.access(python, os.X_OK))]


def _fault_of(python: str) -> str | None:
    """Return why a Python can't be used, or None; pyenv's shims, for example, also exist for versions that don't
    run."""
    try:
        probe = subprocess.run([python, "-E", "-c", PROBE], capture_output=True, timeout=PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run ({error})"
    version = probe.stdout.decode(errors="replace").strip()
    if not version:
        return "does not run"
    if version not in SUPPORTED:
        return f"is Python {version}"
    return None if probe.returncode == 0 else "has no venv or ensurepip module"


def _complaint(rejected: list[str]) -> str:
    lines = "\n  ".join(rejected)
    return (
        f"millrace: Python {' or '.join(sorted(SUPPORTED))} is needed, with its venv module, and none was found.\n"
        f"Looked at:\n  {lines}\n"
        "Install one (Debian, Ubuntu: python3.11 and python3.11-venv), or name it: make PYTHON=/path/to/python3.11"
    )


if __name__ == "__main__":
    sys.exit(main())
