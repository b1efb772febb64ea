"""The command `policy check`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.__main__ import main
from udfs.notifications.notification_policy import default_text


def checked(folder: Path, text: str) -> tuple[int, str]:
    file = folder / "mine.toml"
    file.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, ["policy", "check", str(file)])
    return result.exit_code, result.output


def test_valid_policy_is_described(tmp_path: Path) -> None:
    status, output = checked(tmp_path, default_text())

    assert status == 0
    assert "version 1, no mistake found" in output
    assert "at most 3 messages an hour and recipient" in output
    assert "nothing from 22:00 to 08:00 where the recipient is" in output


def test_each_mistake_of_a_policy_is_a_line_with_its_file(tmp_path: Path) -> None:
    text = (
        default_text().replace('to = "08:00"', 'to = "22:00"').replace("remembered_hours = 72", "remembered_hours = 9")
    )

    status, output = checked(tmp_path, text)

    assert status == 1
    assert output.count("mine.toml: ") == 2


def test_policy_that_forgets_incomplete_orders_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_MISSING_DATA_HOURS", "100")

    status, output = checked(tmp_path, default_text())

    assert status == 1
    assert "it must be at least 124" in output
