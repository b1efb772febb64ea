"""Kinds of contenders, and how each is started and stopped: a Python program, a Flink job.

All read the topic `payments` and write to `fraud-alerts`. They run until they are stopped, as in production: whether
they have done everything is seen from outside.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import psutil

from connectors.kafka.topics import FRAUD_ALERTS, PAYMENTS
from local.settings import CHECKOUT
from local.stack.supervisor import Stack
from ops.jobs.cluster_jobs import ENDED, all_jobs, cancel, wait_until_running
from ops.jobs.submit import Submission, send
from tests.bench.contenders.settings import Run

SENT = "tests/bench/contenders"
"""Folder that is sent to the cluster: jobs in `on_flink` import nothing of `tests` from elsewhere."""
CHECKPOINT_SECONDS = 10.0
END_SECONDS = 20.0
ASK_SECONDS = 1.0
"""Minimum interval between two requests for a job's state: the CPU time of the answers counts as the job's."""


class ContenderError(RuntimeError):
    """A contender failed; the text is the end of its output."""


@dataclass(frozen=True)
class AtWork:
    """A contender that was started."""

    processes: Sequence[psutil.Process]
    """Processes of the contender; each is measured with all that it starts."""
    fault: Callable[[], str]
    """Returns why the contender has stopped working; empty while it works."""


class Contender(Protocol):
    """A program or job that reads payments and emits alerts."""

    @property
    def name(self) -> str:
        """Name of the contender."""

    @property
    def what(self) -> str:
        """Description of the contender."""

    def running(self, stack: Stack, group: str, folder: Path, parallelism: int) -> AbstractContextManager[AtWork]:
        """Run the contender until the block ends. `folder` is empty, and its own."""


@dataclass(frozen=True)
class Program:
    """A Python program with packages of its own (`environment/requirements.in`)."""

    name: str
    what: str
    python: Path
    commands: Callable[[Path, int], Sequence[Sequence[str]]]
    """Folder, parallelism → the arguments of each of its processes."""
    before: Callable[[Path], Sequence[str]] | None = None
    """Folder → arguments of a process that is run to its end first."""

    @contextmanager
    def running(self, stack: Stack, group: str, folder: Path, parallelism: int) -> Iterator[AtWork]:
        run = Run(
            bootstrap_servers=stack.setup.settings.kafka_bootstrap_servers,
            payments=PAYMENTS.name,
            alerts=FRAUD_ALERTS.name,
            group=group,
            folder=folder,
            checkpoint_seconds=CHECKPOINT_SECONDS,
        )
        environment = os.environ | run.as_environment() | {"PYTHONWARNINGS": "ignore"}
        log = folder / "log"
        with log.open("wb") as output, ExitStack() as at_the_end:

            def start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
                command = [str(self.python), "-m", *arguments]
                return subprocess.Popen(command, env=environment, cwd=CHECKOUT, stdout=output, stderr=subprocess.STDOUT)

            if self.before:
                start(self.before(folder)).wait()
            started = [start(arguments) for arguments in self.commands(folder, parallelism)]
            for process in started:
                at_the_end.callback(end, process)

            def fault() -> str:
                failed = any(process.poll() is not None for process in started)
                return log.read_text(errors="replace")[-2000:] if failed else ""

            yield AtWork([psutil.Process(process.pid) for process in started], fault)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a process."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Job:
    """A Flink job on the stack's cluster."""

    name: str
    what: str
    module: str
    options: dict[str, str] = field(default_factory=dict)
    """Options of Flink, over those of flink-conf."""
    arguments: tuple[str, ...] = ()
    """Arguments of the module."""
    may_restart: bool = False
    """Whether a restart of the job is no failure."""

    @contextmanager
    def running(self, stack: Stack, group: str, folder: Path, parallelism: int) -> Iterator[AtWork]:  # noqa: ARG002
        settings = replace(stack.setup.settings, consumer_group_prefix=group)
        submission = Submission(self.name, self.module, self.arguments, folders=(SENT,))
        options = {"execution.checkpointing.interval": f"{CHECKPOINT_SECONDS:.0f}s"} | self.options
        [job_id] = send([submission], settings, parallelism=parallelism, options=options)
        try:
            wait_until_running(settings, job_id)
            services = [each for each in stack.status() if each.pid and "manager" in each.service.name]

            def fault() -> str:
                state = next(job.state for job in all_jobs(settings) if job.id == job_id)
                is_well = state not in ENDED if self.may_restart else state == "RUNNING"
                return "" if is_well else f"{self.name} is {state}: see {settings.flink_rest_url}"

            yield AtWork([psutil.Process(each.pid) for each in services if each.pid], seldom(fault))
        finally:
            cancel(settings, job_id)


def seldom(fault: Callable[[], str]) -> Callable[[], str]:
    """Return a function that calls `fault` once in ASK_SECONDS and repeats its answer in between."""
    answer, asked = "", 0.0

    def last() -> str:
        nonlocal answer, asked
        if time.monotonic() > asked + ASK_SECONDS:
            answer, asked = fault(), time.monotonic()
        return answer

    return last
