"""Output of the stack's commands."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from local.stack.__main__ import main


def test_logs_of_an_unknown_service_list_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path))

    result = CliRunner().invoke(main, ["logs"])

    assert result.exit_code == 2
    assert result.output.startswith("name a service: kafka, ")
    assert "taskmanager-1" in result.output
