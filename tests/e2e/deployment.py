"""A job of the test's own on the shared stack: it reads and counts only records published after it was made."""

import re
import shlex
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.structs import OffsetAndMetadata

from connectors.kafka import topics
from connectors.kafka.reading import TopicReader
from connectors.settings import Settings
from events import DeadLetter, Event, FraudAlert
from local.settings import CHECKOUT
from local.simulator.clock import Clock
from local.simulator.outgoing import Outgoing
from local.simulator.progress import Progress
from local.simulator.publishing import publish_all
from ops.jobs import pipelines
from ops.jobs.cluster_jobs import JobId, all_jobs, cancel, stop_with_savepoint, wait_until_running
from ops.jobs.flink_rest import ask
from ops.jobs.submit import submit
from ops.rules import rulesets
from udfs.fraud import ruleset_files

JOB = "fraud_detection"
OUTPUTS = (topics.FRAUD_ALERTS, topics.SHADOW_HITS, topics.LATE_PAYMENTS, topics.DEAD_LETTERS)
FAST_CHECKPOINTS = {"execution.checkpointing.interval": "1s", "execution.checkpointing.min-pause": "200ms"}
DEADLINE_SECONDS = 240.0
"""Time limit for any condition; long, since a machine with another stack beside this one may be slow."""
POLL_SECONDS = 0.2
MOST_POLL_SECONDS = 2.0


def wait_for(
    what: str,
    condition: Callable[[], bool],
    deadline_seconds: float = DEADLINE_SECONDS,
    most_poll_seconds: float = MOST_POLL_SECONDS,
) -> None:
    """Wait until the condition holds.

    Args:
        most_poll_seconds: longest pause before the condition is tested again, for one that soon passes.

    Raises:
        TimeoutError: the condition doesn't hold within the deadline.
    """
    deadline = time.monotonic() + deadline_seconds
    while True:
        tested_at = time.monotonic()
        if condition():
            return
        now = time.monotonic()
        if now > deadline:
            raise TimeoutError(f"waited {deadline_seconds:.0f} s for {what}")
        # Tests take at most a quarter of the time, since what is waited for needs the same cores.
        time.sleep(max(POLL_SECONDS, min(3 * (now - tested_at), most_poll_seconds)))


def in_checkout(command: str) -> str:
    """Run a command such as `-m ops jobs list` with this Python, and return its output."""
    command = command.replace("python -m", "-m").replace("-m", f"{shlex.quote(sys.executable)} -m", 1)
    done = subprocess.run(command, shell=True, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def publish_default_rules(settings: Settings) -> None:
    """Publish the default rules, in force from the beginning, unless there are some: fraud detection needs them."""
    if not rulesets.read(settings):
        rulesets.publish(settings, ruleset_files.parse(ruleset_files.default_text()), "test")


@dataclass(frozen=True)
class Outputs:
    """The events that a deployment emitted, in the order of each topic's partitions; a restart may repeat some."""

    events: Mapping[str, Sequence[Event]]

    def alerts(self) -> list[FraudAlert]:
        """Return the alerts that open or escalate a case; when a case is closed depends on the watermark."""
        return [
            each
            for each in self.events[topics.FRAUD_ALERTS.name]
            if isinstance(each, FraudAlert) and each.event_type != "fraud_alert.closed"
        ]

    def dead_letters(self, topic: topics.Topic = topics.DEAD_LETTERS) -> list[DeadLetter]:
        """Return the dead letters, or the late payments, which have the same form."""
        return [each for each in self.events[topic.name] if isinstance(each, DeadLetter)]


def ids(events: Iterable[Event]) -> list[str]:
    """Return the sorted ids of events; a repeated event has its id repeated."""
    return sorted(each.event_id for each in events)


def repeated(events: Iterable[Event]) -> set[str]:
    """Return the ids of events that were emitted more than once."""
    return {event_id for event_id, number in Counter(ids(events)).items() if number > 1}


@contextmanager
def consumer_of(settings: Settings, group: str | None = None) -> Iterator[KafkaConsumer]:
    """Open a consumer that commits nothing by itself, and reads only committed transactions."""
    servers = settings.kafka_bootstrap_servers.split(",")
    consumer = KafkaConsumer(
        bootstrap_servers=servers, group_id=group, enable_auto_commit=False, isolation_level="read_committed"
    )
    try:
        yield consumer
    finally:
        consumer.close(autocommit=False)


def records_from(settings: Settings, begin_at: Mapping[TopicPartition, int]) -> Iterator[ConsumerRecord]:
    """Yield every record from these offsets to the present end of the partitions."""
    with consumer_of(settings) as consumer:
        reader = TopicReader(consumer, begin_at)
        reader.seek(begin_at)
        for records in reader.read_to(reader.ends()):
            yield from records


def partitions(of: Sequence[topics.Topic]) -> list[TopicPartition]:
    """Return all partitions of some topics."""
    return [TopicPartition(topic.name, number) for topic in of for number in range(topic.partitions)]


class Deployment:
    """The job of one consumer group, from its submission to its output."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        begin_at: Mapping[TopicPartition, int] | None = None,
        *,
        job: str = JOB,
        pipeline: str = "",
        inputs: Sequence[topics.Topic] = (topics.PAYMENTS,),
        outputs: Sequence[topics.Topic] = OUTPUTS,
    ) -> None:
        """Create a group that has read nothing yet.

        Args:
            name: prefix of the consumer group.
            begin_at: first offsets to read; the present end of the inputs if not given.
            pipeline: name or path of a SQL pipeline to submit instead of the job.
        """
        self.settings = replace(settings, consumer_group_prefix=name)
        self._job, self._submit = (pipeline, pipelines.submit) if pipeline else (job, submit)
        self._group = f"{name}.{Path(self._job).stem}"
        self._inputs = partitions(inputs)
        self._outputs = outputs
        with consumer_of(self.settings, self._group) as consumer:
            self.begins_at = dict(begin_at or consumer.end_offsets(self._inputs))
            self._outputs_begin_at = consumer.end_offsets(partitions(outputs))
            consumer.assign(self._inputs)
            consumer.commit({each: OffsetAndMetadata(offset, "", -1) for each, offset in self.begins_at.items()})
        self.job_id = JobId("")

    def start(self, *, savepoint: str | None = None, options: Mapping[str, str] | None = None) -> None:
        """Submit the job and wait until it runs."""
        self.job_id = self._submit(
            self._job, self.settings, savepoint=savepoint, options=FAST_CHECKPOINTS | dict(options or {})
        )
        wait_until_running(self.settings, self.job_id)

    def publish(self, outgoings: Sequence[Outgoing]) -> None:
        """Send records to their topics at once, and wait until Kafka has them."""
        clock = Clock(outgoings[0].send_at_ms, speed=0)
        publish_all(outgoings, self.settings.kafka_bootstrap_servers, clock=clock, progress=Progress("records", True))

    @contextmanager
    def load(self, outgoings: Iterable[Outgoing], *, endless: bool = False) -> Iterator[None]:
        """Send records by their send times from now on, while the block runs and, unless `endless`, after it."""
        stop = threading.Event()
        clock = Clock(round(time.time() * 1000), speed=1)
        publisher = threading.Thread(
            target=publish_all,
            args=(outgoings, self.settings.kafka_bootstrap_servers),
            kwargs={"clock": clock, "progress": Progress("load", True), "stop": stop},
        )
        publisher.start()
        try:
            yield
        finally:
            if endless:
                stop.set()
            publisher.join()

    def wait_for_checkpoints(self, more: int = 1) -> None:
        """Wait until `more` further checkpoints are complete; the last of them began after this call."""
        before = self._checkpoints()
        wait_for(f"{more} checkpoints", lambda: self._checkpoints() > before + more)

    def _checkpoints(self) -> int:
        return int(ask(self.settings, "GET", f"jobs/{self.job_id}/checkpoints")["counts"]["completed"])

    def wait_until_all_is_read(self) -> None:
        """Wait until the group's offsets, which checkpoints commit, are behind the last record of each input."""
        # The topic's end won't do: the marker of a transaction has the last offset, and Flink commits none for markers.
        ends = self.begins_at | {
            TopicPartition(each.topic, each.partition): each.offset + 1
            for each in records_from(self.settings, self.begins_at)
        }
        with consumer_of(self.settings, self._group) as consumer:
            wait_for(
                "the job to read all that there is",
                lambda: all(offset >= ends[partition] for partition, offset in self._committed(consumer).items()),
            )

    def committed(self) -> dict[TopicPartition, int]:
        """Return the offsets of the last or an earlier complete checkpoint: a restart reads no record before them."""
        with consumer_of(self.settings, self._group) as consumer:
            return self._committed(consumer)

    def _committed(self, consumer: KafkaConsumer) -> dict[TopicPartition, int]:
        return {each: consumer.committed(each) or 0 for each in self._inputs}

    def wait_until_running(self) -> None:
        """Wait until every task runs, e.g. after a crash."""
        wait_until_running(self.settings, self.job_id)

    def stop(self) -> str:
        """Stop with a savepoint, before which all output is written; return the savepoint's path."""
        return stop_with_savepoint(self.settings, self.job_id)

    def resume_lost_job(self) -> str:
        """Run the command that `ops jobs list` shows for the job lost with the JobManager, and return the command."""
        listed = in_checkout("-m ops jobs list")
        (command,) = [line for line in listed.splitlines() if "ops submit" in line]
        self.job_id = JobId(re.findall(r"is submitted: (\w+)", in_checkout(command.strip()))[0])
        self.wait_until_running()
        return command

    def cancel(self) -> None:
        """Cancel the job if it has not ended."""
        # The overview is current; what Flink reports of a single job may be three seconds old.
        if any(job.id == self.job_id and not job.has_ended for job in all_jobs(self.settings)):
            cancel(self.settings, self.job_id)

    def outputs(self) -> Outputs:
        """Return all events in the output topics that were not there when this deployment was made."""
        types = {topic.name: topic.event for topic in self._outputs}
        events: dict[str, list[Event]] = {topic.name: [] for topic in self._outputs}
        for record in records_from(self.settings, self._outputs_begin_at):
            events[record.topic].append(msgspec.json.decode(record.value, type=types[record.topic]))
        return Outputs(events)

    def taskmanager(self) -> str:
        """Return the name of the service that runs a part of the job, as Flink has chosen it."""
        vertex = ask(self.settings, "GET", f"jobs/{self.job_id}")["vertices"][0]["id"]
        managers = ask(self.settings, "GET", f"jobs/{self.job_id}/vertices/{vertex}/taskmanagers")["taskmanagers"]
        return str(managers[0]["taskmanager-id"])

    def restarts(self) -> int:
        """Return how many times the job has failed and restarted since its last submission."""
        return len(ask(self.settings, "GET", f"jobs/{self.job_id}/exceptions")["exceptionHistory"]["entries"])
