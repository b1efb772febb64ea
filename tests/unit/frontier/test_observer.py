"""Each arrow has its frontier or the reason why it has none; sinks have those of the arrows that lead to them."""

from dataclasses import replace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from connectors.kafka import topics
from connectors.settings import Settings
from jobs import flow
from ops.frontier import answers
from ops.frontier.answers import Ends
from ops.frontier.arithmetic import Frontier
from ops.frontier.arrows import Arrow
from ops.frontier.contained import Attempt, Reading
from ops.frontier.observer import Observer, Picture
from ops.health.answers.brokers import Brokers
from ops.health.scope import Scope
from ops.jobs.flink_rest import FlinkUnavailableError
from ops.topics.apply import RealTopic
from tests.builders.health import NOW, ago, checkpoint, checkpoints, group, job, live, offsets
from tests.unit.health.fake_consumer import Consumer

PAYMENTS = Arrow(flow.FRAUD_DETECTION, topics.PAYMENTS)
ORDERS = Arrow(flow.ORDER_ENRICHMENT, topics.ORDERS)
VERSIONS = Arrow(flow.ORDER_ENRICHMENT, topics.CUSTOMER_CHANGES)
SEARCH = Arrow(flow.SEARCH_INDEX, topics.FRAUD_ALERTS)
ARROWS = (PAYMENTS, ORDERS, VERSIONS, SEARCH)

Log = dict[int, int]
"""Event times by offset."""


class Deployment:
    """A deployment whose topics have one partition each; its answers are as its attributes are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.logs: dict[str, Log] = {
            "payments": {0: 1_000, 1: 4_000, 2: 3_000},
            "orders": {0: 1_000, 1: 2_000, 2: 9_000},
            "db-changes.customers": {0: 500},
            "enriched-orders": {0: 1_000},
            "fraud-alerts": {},
            "fraud-shadow-hits": {},
            "late-payments": {},
        }
        self.topics = {name: RealTopic(1, {}, 1) for name in self.logs}
        self.committed: dict[str, dict[TopicPartition, int]] = {
            "fraud_detection": offsets("payments", 3),
            "order_enrichment": offsets("orders", 2) | offsets("db-changes.customers", 1),
            "search_index": offsets("enriched-orders", 1),
        }
        written = ("fraud-alerts", "fraud-shadow-hits", "late-payments")
        self.last_stable = offsets("enriched-orders", 1) | {TopicPartition(name, 0): 0 for name in written}
        self.watermark, self.age, self.checkpoints = 7_000, 0, [checkpoints(checkpoint(age=5))]
        self.known: dict[str, Any] = {"searchable": None}
        self.observer = Observer()
        monkeypatch.setattr(answers, "ends", self._ends)
        monkeypatch.setattr(answers, "log_reader", self._reader)
        monkeypatch.setattr(answers, "reading", self._reading)
        self.checkpoints = [replace(self.checkpoints[0], job=live(job("order_enrichment")))]

    def _logs(self) -> dict[TopicPartition, Log]:
        return {TopicPartition(name, 0): log for name, log in self.logs.items()}

    def _log_ends(self) -> dict[TopicPartition, int]:
        return {each: max(log, default=-1) + 1 for each, log in self._logs().items()}

    def _ends(self, _settings: Settings, _partitions: object) -> Ends:
        return Ends(self._log_ends(), {each: max(log.values(), default=-1) for each, log in self._logs().items()})

    def _reader(self, _settings: Settings) -> Consumer:
        return Consumer({each: list(log) for each, log in self._logs().items()}, self._log_ends(), times=self._logs())

    def _reading(self, _settings: Settings, _found: object, step: str) -> Reading:
        assert step == "ProcessTableFunction"
        self.age += 1
        return Reading(Attempt("job", ago(600), None), {"0": self.watermark}, {"0": str(self.age)}, ago(60 - self.age))

    def observe(self, times: int = 3) -> Picture:
        for _ in range(times):
            groups = tuple(group(name, committed=committed) for name, committed in self.committed.items())
            brokers = Brokers(self.topics, groups, self.last_stable)
            known = {"brokers": brokers, "checkpoints": self.checkpoints} | self.known
            found = self.observer.observe(Scope(Settings(), NOW, known), ARROWS)
        return found


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    return Deployment(monkeypatch)


def test_program_that_has_read_all_is_complete(deployment: Deployment) -> None:
    found = deployment.observe().arrows

    assert found[PAYMENTS] == Frontier(4_000, is_complete=True)
    assert found[VERSIONS] == Frontier(500, is_complete=True)


def test_topic_without_records_is_complete_even_though_no_offset_of_it_is_committed(deployment: Deployment) -> None:
    assert deployment.observe().arrows[SEARCH] == Frontier(None, is_complete=True)


def test_unread_record_holds_the_frontier_back(deployment: Deployment) -> None:
    deployment.committed["fraud_detection"] = offsets("payments", 1)

    assert deployment.observe().arrows[PAYMENTS] == Frontier(2_999, 2_999, held_by="partition 0")


def test_result_that_waits_for_event_time_holds_the_frontier_back(deployment: Deployment) -> None:
    deployment.committed["order_enrichment"] = offsets("orders", 3) | offsets("db-changes.customers", 1)

    found = deployment.observe().arrows[ORDERS]

    assert found == Frontier(7_000, 7_000, held_by="event time of the job")
    deployment.watermark = 9_000
    assert deployment.observe().arrows[ORDERS] == Frontier(9_000, is_complete=True)


def test_result_in_an_open_transaction_holds_the_frontier_back(deployment: Deployment) -> None:
    deployment.logs["enriched-orders"][1] = 2_000

    found = deployment.observe().arrows[ORDERS]

    assert found == Frontier(1_999, 1_999, held_by="a transaction in partition 0 of enriched-orders")


def test_event_time_may_be_known_after_a_checkpoint(deployment: Deployment) -> None:
    found = deployment.observe(times=2)

    assert found.arrows[ORDERS].unknown == "no checkpoint has been completed since its watermark was read"
    assert found.may_be_known_soon()
    assert not deployment.observe(times=1).may_be_known_soon()


def test_what_was_known_of_a_job_stays_known_when_it_is_stopped(deployment: Deployment) -> None:
    before = deployment.observe().arrows[ORDERS]

    deployment.checkpoints = []

    assert before.up_to == 7_000
    assert deployment.observe().arrows[ORDERS] == before


def test_arrow_of_a_job_that_does_not_run_is_unknown_if_its_results_wait_for_event_time(deployment: Deployment) -> None:
    deployment.checkpoints = []

    found = deployment.observe().arrows

    assert found[ORDERS].unknown == "no jobs order_enrichment are running, so their event time is unknown"
    assert {found[each].unknown for each in ARROWS if each != ORDERS} == {""}


def test_program_that_has_never_run_is_unknown(deployment: Deployment) -> None:
    del deployment.committed["fraud_detection"]

    found = deployment.observe()

    reason = "the consumer group millrace.fraud_detection has committed no offsets"
    assert found.arrows[PAYMENTS].unknown == reason
    assert found.whole().unknown == f"1 of 4 arrows are unknown; payments → fraud_detection: {reason}"
    assert found.sinks()["Elasticsearch"].unknown == found.whole().unknown


@pytest.mark.parametrize(
    ("real", "reason"),
    [
        ({}, "there is no topic payments"),
        ({"payments": RealTopic(1, {}, 1, leaderless=(0,))}, "partitions of payments have no leader"),
    ],
)
def test_topic_that_cannot_be_read_is_unknown(deployment: Deployment, real: dict[str, RealTopic], reason: str) -> None:
    deployment.topics = {name: each for name, each in deployment.topics.items() if name != "payments"} | real

    assert deployment.observe().arrows[PAYMENTS].unknown == reason


def test_topic_that_ends_before_the_committed_offset_is_unknown(deployment: Deployment) -> None:
    deployment.committed["fraud_detection"] = offsets("payments", 5)

    found = deployment.observe().arrows

    assert found[PAYMENTS].unknown == ("partition 0 ends at 3, before the committed offset 5: was the topic made anew?")
    assert found[VERSIONS].is_complete


def test_elasticsearch_that_does_not_answer_makes_only_its_arrows_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Settings) -> None:
        raise ConnectionError("no Elasticsearch answers")

    deployment = Deployment(monkeypatch)
    deployment.known = {}
    monkeypatch.setattr("ops.health.answers.stores.make_searchable", fail)

    found = deployment.observe().arrows

    assert {each for each in ARROWS if found[each].unknown} == {SEARCH}
    assert found[SEARCH].unknown == "no Elasticsearch answers"


def test_flink_that_does_not_answer_is_the_reason_of_what_waits_for_event_time(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Reading:
        raise FlinkUnavailableError("no Flink cluster answers")

    monkeypatch.setattr(answers, "reading", fail)

    found = deployment.observe().arrows

    assert {each for each in ARROWS if found[each].unknown} == {ORDERS}
    assert found[ORDERS].unknown == "no Flink cluster answers"


def test_broker_that_stops_in_between_makes_all_arrows_unknown(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Ends:
        raise KafkaTimeoutError("it is gone")

    monkeypatch.setattr(answers, "ends", fail)

    found = deployment.observe().arrows

    assert {found[each].unknown for each in (PAYMENTS, VERSIONS, SEARCH)} == {"Kafka: KafkaTimeoutError: it is gone"}


def test_sinks_and_the_whole_have_the_least_of_the_arrows_that_lead_to_them(deployment: Deployment) -> None:
    deployment.committed["fraud_detection"] = offsets("payments", 1)

    found = deployment.observe()

    held = Frontier(2_999, 2_999, held_by="payments → fraud_detection: partition 0")
    assert found.sinks() == {"Kafka": held, "Elasticsearch": held}
    assert found.whole() == held


def test_complete_whole_has_the_newest_event_time_of_the_sources(deployment: Deployment) -> None:
    deployment.committed["order_enrichment"] = offsets("orders", 3) | offsets("db-changes.customers", 1)
    deployment.watermark = 20_000

    assert deployment.observe().whole() == Frontier(9_000, is_complete=True)
