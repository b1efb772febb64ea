"""Jobs that a JobManager forgot are named, each with the command that takes it up again; ended ones are not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from connectors.settings import Settings
from ops.__main__ import main
from ops.jobs.lost_jobs import Note, forget, lost_jobs, write_notes
from tests.services.json_server import json_server

NOTE = Note(
    job_id="a" * 32,
    name="fraud_detection",
    prefix="millrace",
    command=("submit", "fraud_detection"),
    variables={},
    savepoint=None,
    submitted_at=1_764_000_000_000,
)


@dataclass
class Cluster:
    """Flink's REST API over a folder that holds checkpoints and ended jobs."""

    folder: Path
    known: list[str] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)

    def checkpoint(self, note: Note, number: int, *, complete: bool = True) -> Path:
        folder = self.folder / "check points für 100%20" / note.job_id / f"chk-{number}"
        folder.mkdir(parents=True)
        if complete:
            (folder / "_metadata").touch()
        return folder

    def end(self, note: Note) -> None:
        archived = self.folder / "ended" / note.job_id
        archived.parent.mkdir(exist_ok=True)
        archived.touch()

    def answer(self, request: str, _body: bytes) -> tuple[int, object]:
        if request == "GET /jobmanager/config":
            folders = {"execution.checkpointing.dir": "check points für 100%20", "jobmanager.archive.fs.dir": "ended"}
            return 200, [{"key": key, "value": f"file://{self.folder / name}"} for key, name in folders.items()]
        return 200, {"jobs": [{"jid": job_id} for job_id in self.known]}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster that knows no job."""
    found = Cluster(tmp_path)
    with json_server(found.answer) as address:
        found.settings = Settings(flink_rest_url=address)
        yield found


def test_lost_job_continues_from_its_newest_complete_checkpoint(cluster: Cluster) -> None:
    write_notes(cluster.settings, [NOTE])
    cluster.checkpoint(NOTE, 9)
    newest = cluster.checkpoint(NOTE, 10)
    cluster.checkpoint(NOTE, 11, complete=False)

    (job,) = lost_jobs(cluster.settings)

    assert job.command == f"python -m ops submit fraud_detection --savepoint '{newest}'"


def test_command_has_the_options_of_the_submission(cluster: Cluster) -> None:
    command = ("sql", "run", "declined_rates", "--target", "cluster", "-D", "a=b c")
    write_notes(
        cluster.settings,
        [with_command(command, {"MILLRACE_CONSUMER_GROUP_PREFIX": "beside"})],
    )

    (job,) = lost_jobs(cluster.settings)

    assert job.command == (
        "MILLRACE_CONSUMER_GROUP_PREFIX=beside python -m ops sql run declined_rates --target cluster -D 'a=b c'"
    )
    assert "it had no checkpoint yet" in job.in_words()


def with_command(command: tuple[str, ...], variables: dict[str, str]) -> Note:
    return replace(NOTE, command=command, variables=variables)


def test_lost_job_without_a_checkpoint_starts_from_its_savepoint(cluster: Cluster) -> None:
    write_notes(cluster.settings, [replace(NOTE, savepoint="/savepoints/1")])

    (job,) = lost_jobs(cluster.settings)

    assert job.command == "python -m ops submit fraud_detection --savepoint /savepoints/1"


def test_job_that_runs_ended_or_was_submitted_again_is_not_lost(cluster: Cluster) -> None:
    again = replace(NOTE, job_id="b" * 32)
    beside = replace(NOTE, job_id="c" * 32, prefix="beside/another")
    write_notes(cluster.settings, [NOTE, again, beside])
    cluster.checkpoint(NOTE, 1)
    assert [job.note.job_id for job in lost_jobs(cluster.settings)] == [again.job_id, beside.job_id]

    cluster.known.append(again.job_id)
    assert [job.note.job_id for job in lost_jobs(cluster.settings)] == [beside.job_id]

    cluster.known.clear()
    cluster.end(again)
    forget(cluster.settings, beside.job_id)
    assert lost_jobs(cluster.settings) == []


def test_list_of_jobs_names_lost_ones(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_FLINK_REST_URL", cluster.settings.flink_rest_url)
    write_notes(cluster.settings, [NOTE])

    result = CliRunner().invoke(main, ["jobs", "list"])

    assert result.output.startswith(f"no jobs on {cluster.settings.flink_rest_url}\n")
    assert f"fraud_detection ({NOTE.job_id}), submitted at 2025-11-24 16:00:00 UTC, was lost when" in result.output


def test_cluster_of_another_machine_has_no_lost_jobs(cluster: Cluster, tmp_path: Path) -> None:
    cluster.folder = Path("/nowhere/at/all")

    write_notes(cluster.settings, [NOTE])

    assert lost_jobs(cluster.settings) == []
    assert list(tmp_path.iterdir()) == []
