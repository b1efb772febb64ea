"""A copy of the checkout for tests that change files or need another path."""

import shutil
import subprocess
from pathlib import Path

from local.settings import CHECKOUT


def copied_checkout(folder: Path) -> Path:
    """Copy the files of this checkout. A link wouldn't do: the code would find its files by their plain path."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if Path(CHECKOUT, name).exists():
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path(CHECKOUT, name), Path(folder, name))
    Path(folder, ".venv").symlink_to(CHECKOUT / ".venv")
    return folder
