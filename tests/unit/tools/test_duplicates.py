"""Equal blocks of code are found in any folder; blocks that only look alike are not."""

import subprocess
import sys
from pathlib import Path

from local.settings import CHECKOUT

BLOCK = "".join(f"    total = total * {number} + price\n" for number in range(8))


def duplicates(*folders: Path) -> tuple[int, str]:
    """Return the exit status and the output."""
    command = [sys.executable, "-m", "tools.duplicates", *map(str, folders)]
    done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout


def test_block_in_two_folders_is_reported_with_both_files(tmp_path: Path) -> None:
    for folder, name in (("one", "orders"), ("other", "payments")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.py").write_text(f"def {name}(price, total):\n{BLOCK}    return total\n")

    status, text = duplicates(tmp_path / "one", tmp_path / "other")

    assert status == 1
    assert "orders.py:[1:10]" in text
    assert "payments.py:[1:10]" in text


def test_imports_and_docstrings_are_no_blocks(tmp_path: Path) -> None:
    imports = "".join(f"import module_{number}\n" for number in range(8))
    docstring = '    """' + "".join(f"Line {number}.\n    " for number in range(8)) + '"""\n'
    for name in ("orders", "payments"):
        (tmp_path / f"{name}.py").write_text(f"{imports}\n\ndef {name}():\n{docstring}    return {name!r}\n")

    assert duplicates(tmp_path) == (0, "")
