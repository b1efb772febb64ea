"""The fraud job's topology on bounded input; each group of tests looks at one run."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pytest
from pyflink.common import Types
from pyflink.table import StreamTableEnvironment

from connectors.kafka import topics
from connectors.kafka.outgoing import publish
from connectors.settings import Settings
from events import DeadLetter, Event, FraudAlert, Payment, Ruleset, ShadowHit
from jobs import fraud_detection
from jobs.environment import SQL_OPTIONS, create_tables, variables
from tests.builders.events import event_time, payment, rule, ruleset
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, write_records
from tests.cluster.topic_tables import create_table, record
from udfs.fraud.ruleset_sources import FixedRulesets


class Outcome:
    """The events that a run of the job emitted."""

    def __init__(self, encoded: Iterable[str]) -> None:
        types = {topic.name: topic.event for topic in topics.TOPICS}
        rows = [msgspec.json.decode(row, type=tuple[str, bytes | None, bytes, int]) for row in encoded]
        self.events = [(topic, key, msgspec.json.decode(value, type=types[topic])) for topic, key, value, _ in rows]

    def of(self, topic: topics.Topic) -> list[Event]:
        """Return the events of one topic."""
        return [event for name, _, event in self.events if name == topic.name]

    def alerts(self, card: str) -> list[FraudAlert]:
        """Return the alerts of one card."""
        return [
            alert for alert in self.of(topics.FRAUD_ALERTS) if isinstance(alert, FraudAlert) and alert.card_id == card
        ]

    def dead_letters(self, topic: topics.Topic = topics.DEAD_LETTERS) -> dict[int, DeadLetter]:
        """Return dead letters by the offset of their record."""
        return {letter.source_offset: letter for letter in self.of(topic) if isinstance(letter, DeadLetter)}


def run(tables: StreamTableEnvironment, folder: Path, records: Sequence[Record], *rulesets: Ruleset) -> Outcome:
    """Run the job's topology to the end of the records."""
    create_table(tables, "payments", write_records(folder, records))
    stream = fraud_detection.define(tables, FixedRulesets(*rulesets), "EUR")
    # The row is cast to text, since PyFlink can't collect one with a missing array.
    with stream.map(lambda row: msgspec.json.encode(list(row)).decode(), Types.STRING()).execute_and_collect() as rows:
        return Outcome(rows)


BURST = [payment("burst", f"12:00:0{second}", amount=10) for second in range(6)]
RETRIED = payment("retried", "12:00:00")
RETRIES = [*[RETRIED] * 6, BURST[-1]]
RECORDS = [
    *[record(topics.PAYMENTS, each) for each in BURST],
    *[record(topics.PAYMENTS, each) for each in RETRIES],
    Record(b'{"payment_id": "p1", "card', key=b"torn", timestamp=event_time("12:00:07"), headers={"trace": b"t1"}),
    Record(b"\xff\xfe", timestamp=event_time("12:00:08")),
    record(topics.PAYMENTS, payment("euro", "12:00:09", amount=999, currency="euro")),
    record(topics.PAYMENTS, payment("shadow", "12:00:10", amount=300)),
    record(topics.PAYMENTS, payment("strict", "12:59:59.999", amount=200)),
    record(topics.PAYMENTS, payment("strict", "13:00:00", amount=200)),
    record(topics.PAYMENTS, payment("harmless", "2026-03-02T18:00:00Z")),
    record(topics.PAYMENTS, payment("harmless", "2026-03-01T17:59:59.999Z", amount=1)),
    record(topics.PAYMENTS, payment("late", "2026-03-02T18:00:00Z")),
    record(topics.PAYMENTS, payment("late", "2026-03-01T17:59:59.999Z", amount=999)),
    record(topics.PAYMENTS, payment("late", "2026-03-01T18:00:00Z")),
    Record(None, key=b"tombstone", timestamp=event_time("2026-03-02T18:00:00Z")),
]
LENIENT = ruleset(
    rule("burst", "count_1m >= 4"),
    rule("large", "base_amount_minor > 250.00 EUR", status="shadow"),
    rule("very_large", "base_amount_minor > 900.00 EUR"),
)
STRICT = ruleset(rule("not_small", "base_amount_minor > 150.00 EUR"), version=2, at="13:00:00")


@pytest.fixture(scope="module")
def outcome(cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    tables = StreamTableEnvironment.create(cluster.environment(fraud_detection.OPTIONS))
    return run(tables, tmp_path_factory.mktemp("payments"), RECORDS, LENIENT, STRICT)


def test_burst_opens_one_case_that_time_closes(outcome: Outcome) -> None:
    opened, closed = outcome.alerts("burst")

    assert (opened.event_type, opened.payment_id) == ("fraud_alert.opened", BURST[3].payment_id)
    assert (opened.features["count_1m"], opened.features["sum_1m"]) == (4, 4 * 10_00)
    assert opened.features["recent_payments"] == tuple(each.payment_id for each in BURST[:4])
    assert (closed.event_type, closed.payment_count, closed.amount_minor) == ("fraud_alert.closed", 3, 30_00)
    assert closed.event_time == event_time("12:30:05")


def test_repeated_payment_is_counted_and_evaluated_once(outcome: Outcome) -> None:
    assert outcome.alerts("retried") == []
    assert outcome.alerts("burst")[-1].payments == tuple(each.payment_id for each in BURST[3:])


def test_undecodable_record_is_a_dead_letter_with_its_coordinates(outcome: Outcome) -> None:
    offset = len(BURST) + len(RETRIES)
    torn, not_utf8 = outcome.dead_letters()[offset], outcome.dead_letters()[offset + 1]

    assert (torn.source_topic, torn.source_partition, torn.source_key) == ("payments", 0, b"torn")
    assert (torn.payload, torn.source_headers) == (b'{"payment_id": "p1", "card', {"trace": b"t1"})
    assert (torn.event_id, torn.event_time) == (f"payments-0-{offset}", event_time("12:00:07"))
    assert (not_utf8.payload, not_utf8.source_key) == (b"\xff\xfe", None)
    assert "UTF-8" in not_utf8.reason


def test_payment_with_an_invalid_value_is_a_dead_letter(outcome: Outcome) -> None:
    (letter,) = [each for each in outcome.dead_letters().values() if each.source_key == b"euro"]

    assert "currency" in letter.reason
    assert outcome.alerts("euro") == []


def test_shadow_rule_is_reported_and_never_alerts(outcome: Outcome) -> None:
    hits = [hit for hit in outcome.of(topics.SHADOW_HITS) if isinstance(hit, ShadowHit)]

    assert [(hit.card_id, hit.rules) for hit in hits] == [("shadow", ("large",))]
    assert outcome.alerts("shadow") == []


def test_new_ruleset_holds_from_its_event_time(outcome: Outcome) -> None:
    opened = outcome.alerts("strict")[0]

    assert (opened.payment_id, opened.ruleset_version) == ("strict@13:00:00", 2)


def test_payment_beyond_the_features_is_late_and_one_at_the_edge_counts(outcome: Outcome) -> None:
    late = outcome.dead_letters(topics.LATE_PAYMENTS)[len(RECORDS) - 3]

    assert msgspec.json.decode(late.payload or b"", type=Payment).event_time == event_time("2026-03-01T17:59:59.999Z")
    assert late.reason.startswith("late")
    assert outcome.alerts("late") == []


def test_late_payment_that_breaks_no_rule_is_kept_apart(outcome: Outcome) -> None:
    late = [msgspec.json.decode(each.payload or b"") for each in outcome.dead_letters(topics.LATE_PAYMENTS).values()]

    assert {each["card_id"] for each in late} == {"harmless", "late"}


def test_job_emits_no_other_alert_or_dead_letter(outcome: Outcome) -> None:
    assert len(outcome.dead_letters()) == 3
    assert {alert.card_id for alert in outcome.of(topics.FRAUD_ALERTS) if isinstance(alert, FraudAlert)} == {
        "burst",
        "strict",
    }


def test_every_operator_has_a_uid(cluster: MiniCluster, tmp_path: Path) -> None:
    environment = cluster.environment(SQL_OPTIONS | fraud_detection.OPTIONS)
    tables = StreamTableEnvironment.create(environment)
    create_table(tables, "payments", write_records(tmp_path / "payments", []))
    filled = variables(fraud_detection.JOB, Settings()) | {"OUTGOING_TOPICS": "a;b"}
    create_tables(tables, ["outgoing_events"], filled)
    publish(tables, fraud_detection.define(tables, FixedRulesets(LENIENT), "EUR"))

    graph = environment._j_stream_execution_environment.getStreamGraph(False)
    uids = {node.getOperatorName(): node.getTransformationUID() for node in graph.getStreamNodes().toArray()}

    # PyFlink adds a stateless operator before each keyed one, and that can't have a uid.
    assert [name for name, uid in uids.items() if not uid] == ["_stream_key_by_map_operator"]
    assert {"payment-features", "sort-out", "suspicions", "raise-alerts"} <= set(uids.values())
