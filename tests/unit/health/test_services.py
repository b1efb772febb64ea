"""Measures of services, replicas and capture, and of what is declared against what is real."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.kafka.topics import ORDERS, TOPICS
from connectors.postgres.captured_tables import connector_config
from connectors.settings import Settings
from ops.capture.connect_rest import ConnectError
from ops.capture.connector import RealConnector
from ops.capture.database_state import CaptureDatabase, Server, Slot
from ops.health.answers.brokers import Brokers, Group
from ops.health.answers.stores import SearchCluster, Warehouse
from ops.health.check import Level, Reading, evaluate
from ops.health.checks import CHECKS
from ops.health.measures import declared, services
from ops.health.scope import Scope
from ops.topics.apply import RealTopic
from ops.topics.schemas import Verdict
from tests.builders.health import NOW, group, offsets, scope, values

DECLARED = {topic.name: RealTopic(topic.partitions, topic.config()) for topic in TOPICS}
RUNNING = RealConnector("RUNNING", "worker:8083", (("RUNNING", ""),), connector_config(Settings()))
SLOT = Slot(is_active=True, is_lost=False, retained_bytes=9_000_000, unread_bytes=2_500_000, limit="1GB")


def database(**more: Any) -> CaptureDatabase:
    """Return a database without tables, publication and slot."""
    server = Server("logical", 1, 1, may_replicate=True, may_create=True, odd_enums=(), foreign=())
    parts: dict[str, Any] = {"tables": {}, "publication": None, "slot": None, "server": server}
    return CaptureDatabase(**parts | {"is_being_applied": False, "now": NOW} | more)


ANSWERS: dict[str, Any] = {
    "brokers": Brokers(groups=(group("warehouse"), group("search_index"), group("notifier"))),
    "jobs": [],
    "schemas": [],
    "connector": RUNNING,
    "shop_database": database(),
    "warehouse": Warehouse(),
    "search_cluster": SearchCluster("green", 0, "green", ""),
    "mail_server": None,
}
"""Answers of all services to a deployment that needs all of them."""


def answering(**other: Any) -> Scope:
    """Return a scope in which every service answers, and every program runs, unless it is given otherwise."""
    return scope(**ANSWERS | other)


def refuse(_: Scope) -> None:
    """Answer as a client whose service is silent."""
    raise ConnectError("no service answers\nat all")


def test_services_that_answer_are_not_silent() -> None:
    assert set(values(list(services.silent(answering()))).values()) == {0}


def test_silent_service_has_its_error_and_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(services.SERVICES, "Kafka Connect", refuse)

    readings = {each.subject: each for each in services.silent(answering())}

    assert readings["Kafka Connect"] == Reading("Kafka Connect", 1, "no service answers")
    assert [name for name, each in readings.items() if each.value] == ["Kafka Connect"]


@pytest.mark.parametrize(
    ("groups", "silent"),
    [
        ((), set()),
        ((group("fraud_detection"), group("search_index")), {"Elasticsearch"}),
        ((group("warehouse"), group("notifier")), {"warehouse", "mail server", *services.CAPTURE}),
        ((group("order_enrichment"),), set(services.CAPTURE)),
    ],
)
def test_service_that_no_program_needs_is_not_asked(groups: tuple[Group, ...], silent: set[str]) -> None:
    found = scope(brokers=Brokers(groups=groups), jobs=[], schemas=[])
    for name in ("warehouse", "search_cluster", "mail_server", "connector", "shop_database"):
        with pytest.raises(ConnectionError):
            found.answer(name, refuse)

    assert {each.subject for each in services.silent(found) if each.value} == silent


def test_service_is_asked_if_kafka_can_not_say_who_needs_it() -> None:
    found = scope(**{name: answer for name, answer in ANSWERS.items() if name != "brokers"})
    with pytest.raises(ConnectionError):
        found.answer("brokers", refuse)

    assert {each.subject: each.value for each in services.silent(found)} == dict.fromkeys(services.SERVICES, 0) | {
        "Kafka": 1
    }


def test_warehouse_has_its_faults() -> None:
    found = answering(warehouse=Warehouse(faults=["a is to be applied", "b is to be applied"]))

    assert list(services.warehouse_schema(found)) == [Reading("warehouse", 2, "a is to be applied; b is to be applied")]
    assert list(services.warehouse_schema(scope(brokers=Brokers()))) == []


def test_search_index_has_its_faults_shards_and_disks() -> None:
    blocked = {"orders": ["orders: orders-v2 takes no documents"], "fraud-alerts": []}
    found = answering(search_faults=blocked, search_cluster=SearchCluster("red", 2, "yellow", "1 node is full"))

    assert list(services.search_indices(found)) == [
        Reading("orders", 1, "orders: orders-v2 takes no documents"),
        Reading("fraud-alerts", 0),
    ]
    assert list(services.search_shards(found)) == [
        Reading("Elasticsearch", 1, "the indices are red, and 2 of their shards have no node")
    ]
    assert list(services.search_disks(found)) == [Reading("Elasticsearch", 1, "1 node is full")]


def test_missing_replica_and_unknown_disks_are_no_fault() -> None:
    found = answering(search_cluster=SearchCluster("yellow", 2, "unknown", ""))

    assert values(list(services.search_shards(found))) == {"Elasticsearch": 0}
    assert list(services.search_disks(found)) == []


def test_search_index_that_no_program_fills_is_not_asked() -> None:
    unused = scope(brokers=Brokers())

    for measure in (services.search_indices, services.search_shards, services.search_disks):
        assert list(measure(unused)) == []


def test_fault_of_the_program_is_no_silent_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(services.SERVICES, "Flink", lambda _: {}["state"])

    with pytest.raises(KeyError):
        list(services.silent(answering()))


def test_partitions_without_leader_or_replicas_are_counted_by_topic() -> None:
    topics = {"orders": RealTopic(4, {}, 3, under_replicated=(1, 3), leaderless=(3,)), "payments": RealTopic(4, {})}
    found = scope(brokers=Brokers(topics))

    assert list(services.leaderless(found)) == [Reading("orders", 1, "partition 3"), Reading("payments", 0)]
    assert list(services.under_replicated(found)) == [
        Reading("orders", 2, "partition 1, partition 3"),
        Reading("payments", 0),
    ]


def test_capture_is_checked_if_a_program_reads_changes_or_some_were_captured() -> None:
    measures = (services.connector, services.shop_database, services.unread_log, services.heartbeat_age)
    without = answering(brokers=Brokers(groups=(group("fraud_detection"),), ends=offsets("db-changes.products", 0, 0)))
    captured = answering(
        brokers=Brokers(ends=offsets("db-changes.products", 0, 7)),
        shop_database=database(slot=SLOT),
        last_heartbeat=NOW,
    )

    assert [list(measure(without)) for measure in measures] == [[]] * 4
    assert all(list(measure(captured)) for measure in measures)


def test_connector_has_its_faults() -> None:
    failed = RealConnector("RUNNING", "", (("FAILED", "Caused by: no disk"),), RUNNING.config)

    assert values(list(services.connector(answering(connector=RUNNING)))) == {"shop": 0}
    assert values(list(services.connector(answering(connector=None)))) == {"shop": 1}
    [reading] = services.connector(answering(connector=failed))
    assert (reading.value, "no disk" in reading.detail) == (1, True)


def test_shop_database_has_its_faults() -> None:
    [reading] = services.shop_database(answering(shop_database=database()))

    assert reading.value > 1
    assert "there is no replication slot" in reading.detail


def test_unread_log_is_in_megabytes() -> None:
    assert list(services.unread_log(answering(shop_database=database(slot=SLOT)))) == [
        Reading("millrace_shop", 2.5, "the server retains 9.0 MB of 1GB at most")
    ]
    assert list(services.unread_log(answering(shop_database=database()))) == []


def test_heartbeat_has_its_age() -> None:
    [reading] = services.heartbeat_age(answering(last_heartbeat=NOW - timedelta(seconds=12)))

    assert reading == Reading("shop", 12, "the last heartbeat is of 2026-03-01 11:59:48 UTC")


def test_heartbeat_that_never_came_fails_its_check() -> None:
    [check] = [each for each in CHECKS if each.id == "capture-heartbeat"]

    [result] = evaluate(check, answering(last_heartbeat=None))

    assert result.level is Level.FAIL
    assert result.detail == "no change has ever arrived: there is no heartbeat in db-changes.heartbeats"


def topics(**changed: RealTopic | None) -> tuple[dict[str, float], dict[str, float]]:
    """Return the values above 0 of missing and of differing topics, when these are not as declared."""
    real = {name: topic for name, topic in (DECLARED | changed).items() if topic is not None}
    found = scope(brokers=Brokers(real))
    measures = (declared.missing_topics, declared.differing_topics)
    missing, differing = ({each.subject: each.value for each in measure(found) if each.value} for measure in measures)
    return missing, differing


def test_topics_as_declared_have_no_faults() -> None:
    assert topics() == ({}, {})


def test_topic_that_does_not_exist_is_missing() -> None:
    assert topics(orders=None) == ({"orders": 1}, {})


def test_topic_with_another_retention_and_more_partitions_differs() -> None:
    other = RealTopic(ORDERS.partitions - 1, ORDERS.config() | {"retention.ms": "1000"})

    assert topics(orders=other) == ({}, {"orders": 2})


def test_topic_whose_records_are_refused_counts_as_missing() -> None:
    too_few = RealTopic(ORDERS.partitions, ORDERS.config() | {"min.insync.replicas": "2"}, replicas=1)

    assert topics(orders=too_few) == ({"orders": 1}, {})


@pytest.mark.parametrize(
    ("state", "refused", "unregistered"),
    [("unchanged", 0, 0), ("new", 0, 1), ("compatible", 0, 1), ("unguarded", 0, 1), ("incompatible", 1, 0)],
)
def test_schema_is_refused_or_unregistered(state: Any, refused: float, unregistered: float) -> None:
    found = scope(schemas=[Verdict("orders-value", state)])

    assert values(list(declared.refused_schemas(found))) == {"orders-value": refused}
    assert values(list(declared.unregistered_schemas(found))) == {"orders-value": unregistered}


def test_what_needs_kafka_is_not_asked_if_kafka_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def silent(*_: object) -> None:
        asked.append("brokers")
        raise ConnectionError("no broker")

    monkeypatch.setattr("ops.health.scope.brokers", SimpleNamespace(look=silent))
    found = scope()

    for name in ("rulesets", "letters", "last_heartbeat", "brokers"):
        with pytest.raises(ConnectionError, match="no broker"):
            getattr(found, name)

    assert asked == ["brokers"]
