"""An unexpected error is reported in the line of its file, and the files after it are checked."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from py4j.protocol import Py4JError

from jobs.sql_pipeline import Planned
from ops.jobs.sql_commands import sql_pipelines
from sql.tools.lint import Catalog
from sql.tools.pipeline import Pipeline
from toolchain.java import JavaError


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files that are planned without Flink, in the working directory."""
    names = ["a.sql", "b.sql", "c.sql"]
    for name in names:
        (tmp_path / name).write_text("INSERT INTO x SELECT 1 FROM y;")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ops.jobs.sql_commands.stream_environment", lambda _: None)
    monkeypatch.setattr("ops.jobs.sql_commands.problems", lambda *_: [])
    monkeypatch.setattr("ops.jobs.sql_commands.comparison", lambda *_: "ok")
    return names


def failing_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the planning of `b.sql` raise the error."""

    def planned(_: object, pipeline: Pipeline) -> Planned:
        if pipeline.name == "b":
            raise error
        return Planned(pipeline, {}, Catalog({}, ()))

    monkeypatch.setattr("ops.jobs.pipelines.planned", planned)


@pytest.mark.parametrize("command", ["check", "plan"])
@pytest.mark.parametrize("error", [KeyError("nodes"), Py4JError("no answer")], ids=["of ours", "of the JVM's"])
def test_unexpected_error_is_reported_and_other_files_are_checked(
    command: str, error: Exception, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_with(error, monkeypatch)

    checked = CliRunner().invoke(sql_pipelines, [command, *files])

    assert checked.exit_code == 1
    assert checked.output.splitlines() == [
        "a.sql: ok",
        f"b.sql: {type(error).__name__}: {error}; this is a fault of `ops sql`, not of the file: report it with the "
        "file",
        "c.sql: ok",
    ]


def test_machine_that_can_not_run_flink_is_no_fault_of_a_file(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_with(JavaError("there is no Java"), monkeypatch)

    checked = CliRunner().invoke(sql_pipelines, ["check", *files])

    assert checked.exit_code == 1
    assert checked.output == "a.sql: ok\nError: there is no Java\n"
