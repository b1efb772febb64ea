"""Jobs that a cluster has lost with its JobManager, and the command that resumes each from its last checkpoint.

A JobManager without high availability loses its jobs when it stops. What remains are their retained checkpoints, and
beside them a note of what was submitted. A job is lost if there is a note of it, the cluster doesn't know it, and it
isn't among the jobs that ended, which the cluster archives.
"""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec

from connectors.settings import Settings
from ops.formats import time_in_words
from ops.jobs.flink_rest import ask

NOTES = "submissions"
"""Name of the folder beside the checkpoints."""
CHECKPOINTS = "execution.checkpointing.dir"
SAVEPOINTS = "execution.checkpointing.savepoint-dir"
ENDED = "jobmanager.archive.fs.dir"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """The last submission under one name for one consumer group."""

    job_id: str
    name: str
    prefix: str
    """Prefix of its consumer group."""
    command: tuple[str, ...]
    """Command that submits it, without `python -m ops` and without a savepoint."""
    variables: dict[str, str]
    """Environment variables that the command needs in addition to the settings."""
    savepoint: str | None
    """Savepoint that it was started from."""
    submitted_at: int
    """Time of submission, in UTC milliseconds."""


@dataclass(frozen=True)
class LostJob:
    """A job that the cluster doesn't know any more, although it wasn't stopped."""

    note: Note
    checkpoint: str | None
    """Path of the last complete checkpoint, or of the one it was started from."""

    @property
    def command(self) -> str:
        """Command that resumes the job."""
        from_checkpoint = ("--savepoint", self.checkpoint) if self.checkpoint else ()
        assignments = [f"{name}={shlex.quote(value)}" for name, value in self.note.variables.items()]
        return " ".join([*assignments, shlex.join(("python", "-m", "ops", *self.note.command, *from_checkpoint))])

    def in_words(self) -> str:
        """Return a description of the job, with the command below it."""
        where = "continue from its last checkpoint" if self.checkpoint else "it had no checkpoint yet: start it again"
        return (
            f"{self.note.name} ({self.note.job_id}), submitted at {time_in_words(self.note.submitted_at)}, was lost"
            f" when the JobManager stopped; {where} with\n  {self.command}"
        )


def write_notes(settings: Settings, notes: Sequence[Note]) -> None:
    """Write notes of submissions, if this machine shares the cluster's file system; otherwise do nothing.

    Raises:
        FlinkError: the cluster can't be reached.
    """
    checkpoints = _folder(_configuration(settings).get(CHECKPOINTS, ""))
    if checkpoints is None:
        return
    folder = checkpoints / NOTES
    folder.mkdir(parents=True, exist_ok=True)
    for note in notes:
        partial = folder / f".{note.job_id}"
        partial.write_bytes(msgspec.json.encode(note))
        partial.rename(folder / f"{note.name}-{_digest(note.prefix)}.json")


def forget(settings: Settings, job_id: str) -> None:
    """Delete the note of a job that is stopped, so that it never counts as lost.

    Raises:
        FlinkError: the cluster can't be reached.
    """
    checkpoints = _folder(_configuration(settings).get(CHECKPOINTS, ""))
    for file, note in _notes(checkpoints).items():
        if note.job_id == job_id:
            file.unlink(missing_ok=True)


def lost_jobs(settings: Settings) -> list[LostJob]:
    """Return the lost jobs that this machine can know of, the latest last.

    Raises:
        FlinkError: the cluster can't be reached.
    """
    configuration = _configuration(settings)
    checkpoints = _folder(configuration.get(CHECKPOINTS, ""))
    notes = sorted(_notes(checkpoints).values(), key=lambda note: note.submitted_at)
    if checkpoints is None or not notes:
        return []
    known = {job["jid"] for job in ask(settings, "GET", "jobs/overview")["jobs"]} | _ended(configuration.get(ENDED, ""))
    return [
        LostJob(note, _last(checkpoints / note.job_id) or note.savepoint) for note in notes if note.job_id not in known
    ]


def local_folders(settings: Settings) -> list[Path]:
    """Return the folders of the cluster's checkpoints and savepoints, as far as they are on this machine.

    Raises:
        FlinkError: the cluster can't be reached.
    """
    configuration = _configuration(settings)
    folders = (_folder(configuration.get(key, "")) for key in (CHECKPOINTS, SAVEPOINTS))
    return [folder for folder in folders if folder is not None]


def _configuration(settings: Settings) -> Mapping[str, str]:
    return {each["key"]: each["value"] for each in ask(settings, "GET", "jobmanager/config")}


def _folder(location: str) -> Path | None:
    """Return a folder of the cluster on this machine; None if it is elsewhere."""
    path = Path(re.sub(r"^file:(//)?", "", location))
    return path if path.is_absolute() and path.parent.is_dir() else None


def _digest(prefix: str) -> str:
    """Return a part for a file's name: a prefix can be long, and contain any characters."""
    return blake2b(prefix.encode(), digest_size=8).hexdigest()


def _notes(checkpoints: Path | None) -> dict[Path, Note]:
    if checkpoints is None:
        return {}
    return {file: msgspec.json.decode(file.read_bytes(), type=Note) for file in (checkpoints / NOTES).glob("*.json")}


def _last(folder: Path) -> str | None:
    """Return a job's newest complete checkpoint: its metadata are written last."""
    complete = [file.parent for file in folder.glob("chk-*/_metadata")]
    return str(max(complete, key=lambda each: int(each.name.removeprefix("chk-")))) if complete else None


def _ended(archive: str) -> set[str]:
    """Return the ids of the jobs that ended, as far as the cluster has archived them."""
    folder = _folder(archive)
    return {Path(name).stem for _, _, files in os.walk(folder) for name in files} if folder else set()
