"""SQL like that of users, each file of `tests/user_sql`: it runs, or is refused with the reason."""

from pathlib import Path

import pytest
from pyflink.table import StreamTableEnvironment

from connectors.settings import Settings
from jobs.environment import SQL_OPTIONS
from jobs.sql_pipeline import define, filling
from sql import SqlFileError
from sql.tools.pipeline import PipelineFile, load
from tests.cluster.mini_cluster import MiniCluster

FOLDER = Path(__file__).parents[2] / "user_sql"
RUNS = "Runs."


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.sql")))
def test_user_file_runs_or_is_refused_with_its_reason(
    name: str, cluster: MiniCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLDER", str(tmp_path))
    text = (FOLDER / f"{name}.sql").read_text("utf-8")
    expected = text.splitlines()[0].removeprefix("-- ")
    tables = StreamTableEnvironment.create(cluster.environment({**SQL_OPTIONS, "parallelism.default": "1"}))

    def run() -> None:
        pipeline = load(PipelineFile(name, f"{name}.sql", text, False), filling(name, Settings()))
        define(tables, pipeline).execute().wait()

    if expected == RUNS:
        run()
        return
    with pytest.raises(SqlFileError) as refused:
        run()
    assert str(refused.value).startswith(expected)
    assert "\tat " not in str(refused.value)
