"""Submits jobs to a cluster: Flink's own client runs a job's `main()` here, and sends the result there.

The client is started directly: the wheel's script starts two more JVMs first, and rewrites the configuration it reads.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from urllib.parse import urlsplit

import click
from kafka import KafkaConsumer

from connectors.kafka.client import kafka_client
from connectors.process_environment import UTF_8, child_environment
from connectors.settings import Settings, variable
from jobs import runner
from ops.formats import now_ms
from ops.jobs import lost_jobs
from ops.jobs.cluster_jobs import JobId, all_jobs, group_prefix, root_cause
from ops.jobs.flink_rest import FlinkError, ask
from ops.jobs.lost_jobs import Note
from toolchain import flink_conf
from toolchain.flink_home import FlinkHome, assemble
from toolchain.scratch import PREFIX, scratch_folder

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("events", "udfs", "sql", "connectors", "toolchain", "jobs")
"""Packages that a job may import, and that are therefore sent along."""
LINES_OF_TRACEBACK = 25
WARNING = "warning: "
"""Prefix of lines that a job's `main()` prints for the operator who submits it."""


class SubmitError(FlinkError):
    """A job could not be submitted; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class Submission:
    """A job or pipeline to submit."""

    name: str
    """Name of the job on the cluster."""
    module: str
    """Module whose `main()` defines the job."""
    arguments: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts that are sent with the code, by their path in the checkout, in place of files there."""
    needs_kafka: bool = False
    """Whether the job can do nothing without Kafka."""
    folders: tuple[str, ...] = ()
    """Folders of the checkout that are sent beside the packages that every job may import."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables for its definition, over those of the settings."""
    command: tuple[str, ...] = ()
    """Command that submits it again, without `python -m ops`."""


def submit(
    job: str,
    settings: Settings,
    *,
    savepoint: str | None = None,
    parallelism: int | None = None,
    options: Mapping[str, str] | None = None,
    checkout: Path = CHECKOUT,
) -> JobId:
    """Submit `jobs/<job>.py` to the cluster; see `send`.

    Args:
        job: the module's name.

    Raises:
        SubmitError: there is no such job, it runs already, its `main()` failed, or Flink's client did.
        FlinkError: the cluster can't be reached.
        ConnectionError: Kafka can't be reached, which the job needs.
    """
    submission = of_job(job, checkout)
    [job_id] = send(
        [submission], settings, savepoint=savepoint, parallelism=parallelism, options=options, checkout=checkout
    )
    return job_id


def of_job(job: str, checkout: Path = CHECKOUT) -> Submission:
    """Return the submission of `jobs/<job>.py`.

    Raises:
        SubmitError: there is no such job.
    """
    known = submittable_jobs(checkout)
    if job not in known:
        raise SubmitError(f"there is no job {job!r}; there are: {', '.join(known) or 'none'}")
    return Submission(job, f"jobs.{job}", needs_kafka=True, command=("submit", job))


def send(
    submissions: Sequence[Submission],
    settings: Settings,
    *,
    savepoint: str | None = None,
    parallelism: int | None = None,
    options: Mapping[str, str] | None = None,
    checkout: Path = CHECKOUT,
) -> list[JobId]:
    """Submit to the cluster at `MILLRACE_FLINK_REST_URL`, in this order; return when the cluster has accepted all.

    One client submits all of them, since starting it, and warming up Flink's planner, is most of the work.

    On the cluster the job's functions find the settings, but no passwords, as job parameters:
    `context.get_job_parameter("MILLRACE_KAFKA_BOOTSTRAP_SERVERS", "")`.

    Args:
        savepoint: the path of a savepoint or retained checkpoint to start from; only for a single submission.
        options: of Flink, over those in flink-conf/.
        checkout: where the code is.

    Raises:
        SubmitError: one runs already, its `main()` failed, or Flink's client did. Those before it are submitted.
        FlinkError: the cluster can't be reached.
        ConnectionError: Kafka can't be reached, and a job needs it.
        CacheError, JarsError, JavaError: this machine can't run Flink's client.
    """
    for submission in submissions:
        require_alone(submission.name, settings)
    if any(submission.needs_kafka for submission in submissions):
        kafka_client(settings, KafkaConsumer).close()
    home = assemble()
    with scratch_folder() as scratch:
        folders = (*PACKAGES, *(folder for each in submissions for folder in each.folders))
        code = _gather(checkout, folders, scratch / "millrace")
        for path, content in (file for each in submissions for file in each.files.items()):
            (code / path).write_text(content, encoding="utf-8")
        chosen = {
            **_target(settings),
            **home.options(),
            "pipeline.global-job-parameters": json.dumps(settings.as_public_variables()),
            **(options or {}),
        }
        arguments = ["run", "--detached", *(f"-D{key}={value}" for key, value in chosen.items())]
        if savepoint is not None:
            arguments += ["--fromSavepoint", savepoint]
        if parallelism is not None:
            arguments += ["--parallelism", str(parallelism)]
        # Python first looks for modules in the folder of a script, so the script must not be beside other modules.
        script = shutil.copy(runner.__file__, scratch / "runner.py")
        arguments += ["--pyFiles", str(code), "--python", str(script)]
        jobs = [{"module": s.module, "arguments": s.arguments, "variables": dict(s.variables)} for s in submissions]
        arguments += [
            _version(code),
            ",".join(dict.fromkeys(folder.partition("/")[0] for folder in folders)),
            json.dumps(jobs),
        ]
        done = run_client(client_home(home, settings, scratch), settings, arguments, scratch)
    submitted = re.findall(r"Job has been submitted with JobID ([0-9a-f]{32})", done.stdout)
    if done.returncode or len(submitted) < len(submissions):
        failed = submissions[min(len(submitted), len(submissions) - 1)]
        raise SubmitError(f"{failed.name} was not submitted:\n{reason(done.stdout, checkout)}")
    for line in done.stdout.splitlines():
        if line.startswith(WARNING):
            click.echo(line, err=True)
    notes = [
        _note(each, job_id, settings, savepoint=savepoint, parallelism=parallelism, options=options or {})
        for each, job_id in zip(submissions, submitted, strict=True)
    ]
    try:
        lost_jobs.write_notes(settings, notes)
    except (FlinkError, OSError) as error:  # the jobs run all the same
        click.echo(
            f"{WARNING}if the JobManager stops, no command will list the jobs that it has lost: {error}", err=True
        )
    return [JobId(each) for each in submitted]


def _note(
    submission: Submission,
    job_id: str,
    settings: Settings,
    *,
    savepoint: str | None,
    parallelism: int | None,
    options: Mapping[str, str],
) -> Note:
    prefix = settings.consumer_group_prefix
    own_prefix = {} if prefix == Settings().consumer_group_prefix else {variable("consumer_group_prefix"): prefix}
    given = [part for key, value in options.items() for part in ("-D", f"{key}={value}")]
    if parallelism is not None:
        given += ["--parallelism", str(parallelism)]
    return Note(
        job_id=job_id,
        name=submission.name,
        prefix=prefix,
        command=(*submission.command, *given),
        variables=own_prefix | dict(submission.variables),
        savepoint=savepoint,
        submitted_at=now_ms(),
    )


def require_alone(name: str, settings: Settings) -> None:
    """Check that no such job runs: two jobs with one consumer group both read everything, and write it twice.

    Raises:
        SubmitError: the cluster runs a job of this name and consumer group.
        FlinkError: the cluster can't be reached.
    """
    for job in all_jobs(settings):
        if job.name == name and not job.has_ended and group_prefix(settings, job) == settings.consumer_group_prefix:
            raise SubmitError(
                f"{name} runs already ({job.id}), for {settings.consumer_group_prefix}.{name}: everything would be "
                f"done twice; stop it (`python -m ops jobs savepoint {name}`, or cancel), or set "
                "MILLRACE_CONSUMER_GROUP_PREFIX for another deployment beside it"
            )


def submittable_jobs(checkout: Path = CHECKOUT) -> list[str]:
    """Return the jobs that can be submitted: modules of `jobs/` with a `main()`."""
    files = sorted((checkout / "jobs").glob("*.py"))
    return [file.stem for file in files if re.search(r"^def main\(", file.read_text("utf-8"), re.MULTILINE)]


def _gather(checkout: Path, folders: Iterable[str], folder: Path) -> Path:
    """Copy only the packages: what is sent along is unpacked on every TaskManager."""
    for each in folders:
        if (checkout / each).is_dir():
            shutil.copytree(checkout / each, folder / each, ignore=shutil.ignore_patterns("__pycache__", "src"))
    return folder


def _target(settings: Settings) -> dict[str, str]:
    """Return Flink's options for the cluster's address."""
    url = urlsplit(settings.flink_rest_url)
    return {"execution.target": "remote", "rest.address": url.hostname or "", "rest.port": str(url.port or 80)}


def _version(code: Path) -> str:
    """Return a digest that is the same for the same files, in whatever folder."""
    digest = hashlib.sha256()
    for file in sorted(path for path in code.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(code)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def client_home(home: FlinkHome, settings: Settings, scratch: Path) -> FlinkHome:
    """Return the jars of the client of one submission.

    The client sends its flink-python along, 43 MB that the cluster stores and checks for each job. A cluster that has
    the same file in `lib` gets an empty one instead.

    Raises:
        FlinkError: the cluster can't be reached.
    """
    (jar,) = home.lib.glob("flink-python-*.jar")
    there = ask(settings, "GET", "jobmanager/environment")["classpath"]
    if jar.name not in {PurePath(each).name for each in there}:
        return home
    folder = scratch / "opt"
    folder.mkdir()
    with zipfile.ZipFile(folder / jar.name, "w") as empty:
        empty.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n\n")
    return replace(home, opt=folder)


def run_client(
    home: FlinkHome, settings: Settings, arguments: list[str], scratch: Path
) -> subprocess.CompletedProcess[str]:
    """Run Flink's client until it ends; its output is in `stdout`."""
    text = flink_conf.CONFIGURATION.read_text("utf-8")
    return subprocess.run(
        [
            str(home.java_home / "bin" / "java"),
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            f"-Djava.io.tmpdir={scratch}",
            *flink_conf.java_options(text),
            f"-Dlog4j.configurationFile={(flink_conf.FOLDER / 'log4j-cli.properties').as_uri()}",
            "-cp",
            os.pathsep.join(map(str, home.lib.glob("*.jar"))),
            "org.apache.flink.client.cli.CliFrontend",
            *arguments,
        ],
        env=child_environment(
            {**UTF_8, **home.environment(), **settings.as_variables(), "FLINK_CONF_DIR": str(flink_conf.FOLDER)}
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def reason(output: str, checkout: Path) -> str:
    """Return what an operator needs of the client's output: the end of the job's own traceback, or Flink's last
    cause."""
    own, failed, _ = output.partition("ERROR o.a.f.c.p.PythonDriver Run python process failed")
    if failed:
        noise = re.compile(r"\d\d:\d\d:\d\d |\d\d:\d\d:\d\d$|\s+at [\w.$/<>]+\(|\s+\.\.\. \d+ (more|common)")
        lines = [line for line in own.splitlines() if not noise.match(line)]
        copy = re.compile(rf"[^\s\"]*/{PREFIX}[^\s\"]*/millrace/")
        return copy.sub(f"{checkout}/", "\n".join(lines[-LINES_OF_TRACEBACK:])).strip()
    return root_cause(output)
