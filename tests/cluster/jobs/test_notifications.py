"""The notifications job's topology: a bounded run compared with a plain loop, and some unbounded runs."""

import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from events import DeadLetter, Event, Notification
from events.schemas import schema
from jobs.environment import SQL_OPTIONS
from tests.builders.events import customer, enriched_line, enriched_order, event_time, fraud_alert
from tests.cluster.jobs.notifications_over_files import TOPICS, as_records, define, sent, write
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record
from tests.cluster.running_query import get_json, recovery_from
from tests.reference_runs.notifications import DEFAULT, inboxes, loop_over

POLICY = msgspec.structs.replace(DEFAULT, messages_per_hour=2)
BAD_RECORD = Record(b'{"event_id": "torn', key=b"torn", timestamp=event_time("12:00:00"), headers={"trace": b"t1"})
TOO_LONG = customer("too-long", email="x" * 300)
CUSTOMERS = 12
HOUR_MS = 3_600_000
NOW = time.time()


def random_events(generator: random.Random) -> Iterator[Event]:
    """Yield two days of twelve customers in order of time: two unknown, one who opts out and in again, repetitions."""
    start = event_time("06:00:00")
    for number in range(CUSTOMERS - 2):
        yield customer(f"c{number}", event_time=start, time_zone=generator.choice(["Europe/Berlin", "Asia/Tokyo"]))
    moments = sorted(generator.randrange(start + 1, start + 48 * HOUR_MS) for _ in range(400))
    for number, moment in enumerate(moments):
        chosen = f"c{generator.randrange(CUSTOMERS)}"
        match 0 if number % 40 == 39 else generator.randrange(1, 10):
            case 0:
                gone, out = generator.random() < 0.3, generator.random() < 0.5
                yield customer("c0", event_time=moment, lsn=number + 2, deleted=gone, notifications_opt_out=out)
            case 1:
                # A customer with one version: a warning goes to the newest address, which the order of arrival decides.
                yield fraud_alert(f"a{number}", event_time=moment, customer_id=f"c{generator.randrange(1, CUSTOMERS)}")
            case 2:
                lines = (enriched_line(), enriched_line(2, "p2", name=None))
                yield enriched_order(f"o{number}", event_time=moment, customer_id=chosen, complete=False, lines=lines)
                lines = (enriched_line(), enriched_line(2, "p2", name="A lamp"))
                yield enriched_order(f"o{number}", event_time=moment, customer_id=chosen, revision=2, lines=lines)
            case _:
                for _ in range(generator.choice([1, 1, 2])):
                    yield enriched_order(f"o{number}", event_time=moment, customer_id=chosen)


def of_type(event_type: type[Any], events: Iterable[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, event_type)]


EVENTS = list(random_events(random.Random(3)))


@pytest.fixture(scope="module")
def outcome(cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Output of the job for `EVENTS`, a bad record of each source, and a customer whose address is too long."""
    folder = write(tmp_path_factory.mktemp("world"), as_records([TOO_LONG, *EVENTS]))
    write(folder, {table: [BAD_RECORD] for table in TOPICS})
    environment = cluster.environment()
    define(environment, folder, POLICY)
    environment.execute("notifications")
    return sent(folder)


def test_notifications_equal_those_of_a_plain_loop(outcome: list[Any]) -> None:
    expected = loop_over(POLICY, EVENTS)

    found = of_type(Notification, outcome)

    assert len(expected) > 100
    assert {each.template for each in expected} == {"fraud_warning", "order_confirmation", "digest"}
    assert {each.event_id: each for each in found} == {each.event_id: each for each in expected}
    assert len(found) == len(expected)


def test_event_of_a_customer_that_never_appears_is_a_dead_letter(outcome: list[Any]) -> None:
    rejected = [record.payload or b"" for inbox in inboxes(POLICY, EVENTS) for record, _ in inbox.rejected]
    expected = [msgspec.json.decode(each)["event_id"] for each in rejected]

    letters = [each for each in of_type(DeadLetter, outcome) if "isn't known" in each.reason]

    assert len(expected) > 10
    assert Counter(msgspec.json.decode(each.payload)["event_id"] for each in letters) == Counter(expected)
    assert {each.rejected_by for each in letters} == {"notifications"}


def test_undecodable_record_of_any_source_is_a_dead_letter_with_its_place(outcome: list[Any]) -> None:
    letters = {each.source_topic: each for each in of_type(DeadLetter, outcome) if each.source_key == b"torn"}

    assert set(letters) == {topic.name for topic in TOPICS.values()}
    for letter in letters.values():
        assert (letter.payload, letter.source_headers) == (BAD_RECORD.value, BAD_RECORD.headers)
        assert (letter.rejected_by, letter.event_time) == ("notifications", BAD_RECORD.timestamp)
        assert letter.event_id == f"{letter.source_topic}-{letter.source_partition}-{letter.source_offset}"


def test_customer_with_a_too_long_address_is_a_dead_letter(outcome: list[Any]) -> None:
    (letter,) = [each for each in of_type(DeadLetter, outcome) if each.source_key == b"too-long"]

    assert "$.email" in letter.reason


def test_notifications_are_valid_by_their_schema(outcome: list[Any]) -> None:
    validator = jsonschema.validators.validator_for(schema(Notification))(schema(Notification))

    messages = [msgspec.json.decode(msgspec.json.encode(message)) for message in of_type(Notification, outcome)]

    assert messages
    assert not [error for message in messages for error in validator.iter_errors(message)]


def test_every_operator_has_a_uid_and_every_topic_is_read_once(cluster: MiniCluster, tmp_path: Path) -> None:
    environment = cluster.environment(SQL_OPTIONS)
    define(environment, write(tmp_path, {}), POLICY)

    graph = environment._j_stream_execution_environment.getStreamGraph(False)
    uids = {node.getOperatorName(): node.getTransformationUID() for node in graph.getStreamNodes().toArray()}

    # PyFlink adds a stateless operator before each keyed one, and that can't have a uid.
    assert [name for name, uid in uids.items() if not uid] == ["_stream_key_by_map_operator"]
    assert "notify" in uids.values()
    assert len(graph.getSourceIDs().toArray()) == len(TOPICS) + 1


def ago(minutes: int) -> str:
    """Return a moment before the tests began; a clock ticks only in the present."""
    return datetime.fromtimestamp(NOW - 60 * minutes, UTC).isoformat(timespec="milliseconds")


class RunningNotifications:
    """The job over records that waits for more to be appended; it is stopped with a savepoint."""

    def __init__(self, cluster: MiniCluster, folder: Path) -> None:
        self._cluster, self._folder = cluster, folder
        environment = cluster.environment({"execution.checkpointing.interval": "200 ms"})
        define(environment, folder, ONE_AN_HOUR, stay_open=True)
        self._job = environment.execute_async("notifications")

    def wait_for_messages(self, number: int) -> None:
        """Wait until at least `number` notifications were emitted."""
        deadline = time.monotonic() + 60
        while len(found := sent(self._folder)) < number:
            assert time.monotonic() < deadline, f"it sent {found}"
            time.sleep(0.1)

    def wait_for_dropped(self, reason: str, number: int) -> None:
        """Wait until the metric has this value; it is reported a few seconds later."""
        deadline = time.monotonic() + 60
        while (found := self._metric(f"dropped_{reason}")) != number:
            assert time.monotonic() < deadline, f"the counter stays at {found}"
            time.sleep(0.2)

    def _metric(self, name: str) -> int:
        root = f"http://127.0.0.1:{self._cluster.rest_port}/jobs/{self._job.get_job_id()}"
        [vertex] = [each["id"] for each in get_json(root)["vertices"] if "notify" in each["name"]]
        metrics = f"{root}/vertices/{vertex}/subtasks/metrics"
        ids = [metric["id"] for metric in get_json(metrics) if metric["id"].endswith(f".{name}")]
        return sum(int(metric["sum"]) for metric in get_json(f"{metrics}?get={','.join(ids)}&agg=sum")) if ids else 0

    def stop(self) -> str:
        """Stop the job, and return the savepoint's path."""
        return self._cluster.stop_with_savepoint(self._job)


ONE_AN_HOUR = msgspec.structs.replace(DEFAULT, messages_per_hour=1, quiet_hours=None)


def test_restarted_job_keeps_all_held_messages(cluster: MiniCluster, tmp_path: Path) -> None:
    unnamed, named = (enriched_line(name=None),), (enriched_line(name="A lamp"),)
    before = [
        customer("c1", ago(90)),
        enriched_order("first", ago(50), customer_id="c1", complete=False, lines=unnamed),
        enriched_order("second", ago(49), customer_id="c1"),
        fraud_alert("a1", ago(40), customer_id="stranger"),
    ]
    after = [
        *before,
        enriched_order("first", ago(50), customer_id="c1", revision=2, lines=named),
        customer("stranger", ago(5)),
    ]
    job = RunningNotifications(cluster, write(tmp_path, as_records(before)))
    job.wait_for_messages(1)

    savepoint = job.stop()
    write(tmp_path, as_records(after))
    environment = cluster.environment(recovery_from(savepoint))
    define(environment, tmp_path, ONE_AN_HOUR)
    environment.execute("notifications")

    messages = [
        (each.recipient, each.template, sorted(f"{event.kind} {event.subject_id}" for event in each.payload))
        for each in of_type(Notification, sent(tmp_path))
    ]
    assert sorted(messages) == [
        ("c1", "digest", ["order_completed first", "order_confirmed second"]),
        ("c1", "order_confirmation", ["order_confirmed first"]),
        ("stranger", "fraud_warning", ["fraud_suspected c1"]),
    ]


def test_late_revision_right_after_a_restart_is_decided_at_restored_time(cluster: MiniCluster, tmp_path: Path) -> None:
    unnamed, named = (enriched_line(name=None),), (enriched_line(name="A lamp"),)
    first = enriched_order("first", ago(90), customer_id="c1", complete=False, lines=unnamed)
    before = [customer("c1", ago(100)), customer("c2", ago(100)), first, enriched_order("o", ago(10), customer_id="c2")]
    job = RunningNotifications(cluster, write(tmp_path, as_records(before)))
    job.wait_for_messages(2)

    savepoint = job.stop()
    write(tmp_path, as_records([enriched_order("first", ago(90), customer_id="c1", revision=2, lines=named)]))
    environment = cluster.environment(recovery_from(savepoint))
    define(environment, tmp_path, ONE_AN_HOUR)
    environment.execute("notifications")

    [completed] = [each for each in of_type(Notification, sent(tmp_path)) if each.payload[0].kind == "order_completed"]
    assert completed.event_time > event_time(ago(11))
    assert completed.reason == "order_completed: nothing holds it back"


def test_idle_partition_delays_nothing_and_its_late_events_pass_at_once(cluster: MiniCluster, tmp_path: Path) -> None:
    # The ids decide the partition of orders, and of customers likewise.
    of_idle, of_others = ("o0", "o2"), ("o1", "o3")
    orders = {name: enriched_order(name, ago(90), customer_id=f"c{name}") for name in of_idle[:1]}
    orders |= {name: enriched_order(name, ago(10), customer_id=f"c{name}") for name in of_others}
    late = enriched_order(of_idle[1], ago(60), customer_id=f"c{of_idle[1]}")
    customers = [customer(f"c{name}", ago(100)) for name in (*of_idle, *of_others)]
    job = RunningNotifications(cluster, write(tmp_path, as_records([*customers, *orders.values()])))
    job.wait_for_messages(3)

    write(tmp_path, as_records([late]))
    job.wait_for_messages(4)
    job.stop()

    messages = {each.recipient: each for each in of_type(Notification, sent(tmp_path))}
    assert sorted(messages) == ["co0", "co1", "co2", "co3"]
    assert messages["co2"].event_time > event_time(ago(11))
    assert messages["co2"].reason == "order_confirmed: nothing holds it back"


def test_dropped_repetitions_are_counted_by_a_metric(cluster: MiniCluster, tmp_path: Path) -> None:
    events = [customer("c1", ago(90)), *[fraud_alert("a1", ago(40), customer_id="c1")] * 3]
    job = RunningNotifications(cluster, write(tmp_path, as_records(events)))

    job.wait_for_dropped("repeated", 2)
    job.stop()

    assert [each.event_type for each in sent(tmp_path)] == ["notification"]
