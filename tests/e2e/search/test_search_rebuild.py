"""`ops search rebuild` with a real Kafka and a real Elasticsearch, also during writes."""

import copy
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from elasticsearch import Elasticsearch, helpers
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from connectors.elasticsearch.bulk_index import BulkIndex
from connectors.elasticsearch.client import client as make_client
from connectors.elasticsearch.documents import action
from connectors.kafka.topics import ENRICHED_ORDERS
from connectors.settings import Settings
from events import EnrichedOrder
from local.stack.supervisor import Stack
from ops.__main__ import main
from ops.search.apply import apply, faults
from ops.search.filling import Outcome, Work
from ops.search.indices import Declared, declared, look
from ops.search.rebuild import RebuildError, Rebuilding, rebuild, replaceable
from ops.topics import apply as topic_operations
from tests.builders.events import enriched_line, enriched_order
from tests.e2e.conftest import environment_on_free_ports
from tests.e2e.deployment import DEADLINE_SECONDS, wait_for

ORDERS = declared()[0]
PARTITIONS = [TopicPartition(ENRICHED_ORDERS.name, number) for number in range(ENRICHED_ORDERS.partitions)]


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """Settings of a stack of Kafka and Elasticsearch alone, since a rebuild reads all of a topic."""
    folder = Path(tempfile.mkdtemp(prefix="millrace-rebuild-"))
    folder.chmod(0o755)
    running = Stack.from_environment(environment_on_free_ports(folder / "stack"))
    try:
        running.up(["kafka", "elasticsearch"])
        topic_operations.apply(running.setup.settings, [ENRICHED_ORDERS])
        yield running.setup.settings
    finally:
        running.down()
        shutil.rmtree(folder)


@pytest.fixture
def client(settings: Settings) -> Iterator[Elasticsearch]:
    """A client of an Elasticsearch with `orders` as declared; index and topic are empty."""
    with make_client(settings) as elasticsearch:
        for index in elasticsearch.indices.get(index="*"):
            elasticsearch.indices.delete(index=index)
        admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
        admin.delete_records(dict.fromkeys(PARTITIONS, -1))
        admin.close()
        apply(elasticsearch, [ORDERS])
        yield elasticsearch


@contextmanager
def producing(settings: Settings, **options: Any) -> Iterator[KafkaProducer]:
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, linger_ms=5, **options)
    try:
        yield producer
    finally:
        producer.close()


def send(producer: KafkaProducer, order: EnrichedOrder) -> None:
    producer.send(ENRICHED_ORDERS.name, key=order.order_id.encode(), value=msgspec.json.encode(order))


def publish(settings: Settings, orders: Sequence[EnrichedOrder]) -> None:
    with producing(settings) as producer:
        for order in orders:
            send(producer, order)


class Job:
    """The work of `search_index` without a cluster: index all that is committed, through the alias."""

    def __init__(self, settings: Settings) -> None:
        self._bulk = BulkIndex(settings)
        self._consumer = KafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap_servers, isolation_level="read_committed"
        )
        self._consumer.assign(PARTITIONS)
        self._consumer.seek_to_beginning()

    def catch_up(self) -> None:
        """Index all records up to the present end."""
        ends = self._consumer.end_offsets(PARTITIONS)
        while any(self._consumer.position(each) < end for each, end in ends.items()):
            self.step()

    def step(self) -> None:
        """Index some more records, if there are any."""
        records = [each for batch in self._consumer.poll(timeout_ms=50).values() for each in batch]
        assert not any(self._bulk.write([action(each.topic, each.key, each.value) for each in records]))

    def close(self) -> None:
        self._bulk.close()
        self._consumer.close()


def run_job(settings: Settings) -> None:
    job = Job(settings)
    job.catch_up()
    job.close()


def remapped(declaration: Declared = ORDERS) -> Declared:
    """Return the declaration with a mapping that needs a rebuild."""
    template = copy.deepcopy(dict(declaration.template))
    template["template"]["mappings"]["_meta"]["version"] = 3
    template["template"]["mappings"]["properties"]["customer_tier"] = {"type": "text"}
    return replace(declaration, template=template)


def documents(client: Elasticsearch, index: str = "orders") -> dict[str, tuple[int, Any]]:
    """Return version and content by id."""
    client.indices.refresh(index=index)
    hits = helpers.scan(client, index=index, query={"query": {"match_all": {}}, "version": True})
    return {hit["_id"]: (hit["_version"], hit["_source"]) for hit in hits}


def indices(client: Elasticsearch) -> dict[str, set[str]]:
    return {name: set(each["aliases"]) for name, each in client.indices.get_alias(index="*").items()}


def on_the_wire(order: EnrichedOrder) -> Any:
    return msgspec.json.decode(msgspec.json.encode(order))


def expected(orders: Sequence[EnrichedOrder]) -> dict[str, tuple[int, Any]]:
    newest = {order.order_id: order for order in sorted(orders, key=lambda order: order.revision)}
    return {name: (order.revision, on_the_wire(order)) for name, order in newest.items()}


def ignore_progress(_: str) -> None:
    """Ignore the progress."""


def test_rebuilt_index_has_the_same_documents_and_no_uncommitted_one(settings: Settings, client: Elasticsearch) -> None:
    orders = [enriched_order(f"o{number}", revision=1) for number in range(3000)]
    orders += [enriched_order(f"o{number}", revision=2, customer_name="Grace") for number in range(0, 3000, 3)]
    publish(settings, [*orders, *orders[:500]])
    with producing(settings, transactional_id="never") as producer:
        producer.init_transactions()
        producer.begin_transaction()
        send(producer, enriched_order("never"))
        producer.flush()
        producer.abort_transaction()
    run_job(settings)
    before = documents(client)
    lines: list[str] = []

    outcome = rebuild(settings, remapped(), lines.append)

    assert documents(client) == before == expected(orders)
    assert indices(client) == {"orders-v3": {"orders"}}
    assert outcome == Outcome("orders-v3", records=4500)
    assert any(each.startswith("filling: 4,500 records of enriched-orders in ") for each in lines)
    [index] = look(client, remapped()).behind
    assert (index.version, index.filled_to, faults(remapped(), look(client, remapped()))) == (
        3,
        None,
        [],
    )
    assert client.count(index="orders", query={"match": {"customer_tier": "STANDARD"}})["count"] == 3000


def test_rebuild_applies_deletions_and_counts_and_names_bad_records(settings: Settings, client: Elasticsearch) -> None:
    publish(settings, [enriched_order("o1"), enriched_order("o2")])
    with producing(settings) as producer:
        producer.send(ENRICHED_ORDERS.name, key=b"o1", value=None)
        producer.send(ENRICHED_ORDERS.name, key=b"o3", value=b"no JSON", partition=0).get()
        wrong = on_the_wire(enriched_order("o4")) | {"currency": "euro"}
        producer.send(ENRICHED_ORDERS.name, key=b"o4", value=msgspec.json.encode(wrong), partition=1).get()
        # No schema limits the length of such a word; Elasticsearch does.
        send(producer, enriched_order("o5", missing=("x" * 40_000,)))

    outcome = rebuild(settings, remapped(), ignore_progress)

    assert documents(client).keys() == {"o2"}
    assert (outcome.records, outcome.bad) == (6, 3)
    places = sorted(each.partition(":")[0] for each in outcome.named)
    assert places[0].startswith("enriched-orders, partition 0, offset ")
    assert any("JSON is malformed" in each for each in outcome.named)
    assert any('currency: ••• does not match "^[A-Z]{3}$"' in each for each in outcome.named)
    assert any("failed to parse field [missing]" in each for each in outcome.named)


def test_rebuild_during_writes_loses_nothing_and_hides_no_document(settings: Settings, client: Elasticsearch) -> None:
    begun_with = [enriched_order(f"o{number}") for number in range(1000)]
    publish(settings, begun_with)
    run_job(settings)
    client.indices.refresh(index="orders")
    sent: list[EnrichedOrder] = []
    fewest: list[int] = []
    ended = threading.Event()

    def produce() -> None:
        with producing(settings) as producer:
            number = 0
            while not ended.wait(0.002):
                number += 1
                # These are new orders, and newer revisions of existing ones.
                sent.append(enriched_order(f"o{number % 1500}", revision=2 + number // 1500))
                send(producer, sent[-1])

    def index() -> None:
        job = Job(settings)
        while not ended.is_set():
            job.step()
        job.catch_up()
        job.close()

    def read() -> None:
        with make_client(settings) as reader:
            while not ended.wait(0.02):
                fewest.append(reader.count(index="orders")["count"])

    # WHEN the index is rebuilt twice during the writes
    with running(produce, read), running(index):
        wait_for("some orders", lambda: len(sent) > 300)
        rebuild(settings, remapped(), ignore_progress)
        count = len(sent)
        wait_for("more orders", lambda: len(sent) > count + 300)
        rebuild(settings, remapped(), ignore_progress)
        ended.set()

    assert documents(client) == expected([*begun_with, *sent])
    assert indices(client) == {"orders-v3-2": {"orders"}}
    assert min(fewest) >= len(begun_with)


@contextmanager
def running(*targets: Callable[[], None]) -> Iterator[None]:
    """Run threads that stop with the block once they are asked to; raise what fails in one."""
    wrong: list[BaseException] = []

    def guarded(target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:  # noqa: BLE001
            wrong.append(error)

    threads = [threading.Thread(target=guarded, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    assert not wrong, wrong


def test_rebuild_interrupted_while_filling_changes_nothing(settings: Settings, client: Elasticsearch) -> None:
    orders = [enriched_order(f"o{number}") for number in range(100)]
    publish(settings, orders)
    run_job(settings)

    def interrupt(text: str) -> None:
        if text.startswith("filling"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(settings, remapped(), interrupt)

    assert indices(client) == {"orders-v2": {"orders"}}
    assert documents(client) == expected(orders)


def filled(settings: Settings, client: Elasticsearch) -> Rebuilding:
    """Return a rebuild just before its switch."""
    work = Work(settings, client, remapped(), ignore_progress)
    rebuilding = Rebuilding(work, replaceable(client, remapped()))
    rebuilding.fill()
    rebuilding.compare(allow_data_loss=False)
    return rebuilding


@pytest.mark.full
def test_rebuild_removes_the_leftovers_of_one_killed_before_its_switch(
    settings: Settings, client: Elasticsearch
) -> None:
    orders = [enriched_order(f"o{number}") for number in range(20_000)]
    publish(settings, orders)
    run_job(settings)
    command = [sys.executable, "-m", "ops", "search", "rebuild", "orders", "--yes"]
    killed = subprocess.Popen(command, env=os.environ | settings.as_variables(), stdout=subprocess.DEVNULL)

    # WHEN it is killed as soon as it has begun to fill
    wait_for("a new index", lambda: len(indices(client)) == 2)
    killed.kill()
    killed.wait(DEADLINE_SECONDS)
    left = indices(client)
    rebuild(settings, ORDERS, ignore_progress)

    assert left == {"orders-v2": {"orders"}, "orders-v2-2": {"orders-rebuild"}}
    assert indices(client) == {"orders-v2-2": {"orders"}}
    assert documents(client) == expected(orders)


def test_rebuild_killed_after_its_switch_is_reported_and_resumed(settings: Settings, client: Elasticsearch) -> None:
    publish(settings, [enriched_order("o1")])
    run_job(settings)
    rebuilding = filled(settings, client)
    publish(settings, [enriched_order("o2")])
    run_job(settings)  # these go into the old index, which the alias still names
    rebuilding.switch()
    rebuilding.close()
    reported = faults(remapped(), look(client, remapped()))

    outcome = rebuild(settings, remapped(), ignore_progress)

    assert "was interrupted after the switch" in reported[0]
    assert documents(client).keys() == {"o1", "o2"}
    assert (outcome.index, outcome.records) == ("orders-v3", 1)
    assert indices(client) == {"orders-v3": {"orders"}}
    assert faults(remapped(), look(client, remapped())) == []


def test_rebuild_drops_documents_missing_in_the_topic_only_if_allowed(
    settings: Settings, client: Elasticsearch
) -> None:
    publish(settings, [enriched_order("old"), enriched_order("kept")])
    run_job(settings)
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    admin.delete_records(dict.fromkeys(PARTITIONS, -1))
    admin.close()
    publish(settings, [enriched_order("kept")])

    with pytest.raises(RebuildError, match=r"orders-v2 has 1 documents .* \(old\).* add --allow-data-loss"):
        rebuild(settings, remapped(), ignore_progress)
    before = documents(client).keys()
    outcome = rebuild(settings, remapped(), ignore_progress, allow_data_loss=True)

    assert before == {"old", "kept"}
    assert documents(client).keys() == {"kept"}
    assert outcome.lost == ["old"]


@pytest.mark.full
def test_second_rebuild_is_refused_while_another_one_fills(settings: Settings, client: Elasticsearch) -> None:
    publish(settings, [enriched_order("o1")])
    other = filled(settings, client)
    ended = threading.Event()

    def keep_filling() -> None:
        version = 1
        while not ended.wait(0.05):
            version += 1
            client.index(
                index="orders-rebuild",
                id="o1",
                document=on_the_wire(enriched_order("o1")),
                version=version,
                version_type="external",
            )

    with running(keep_filling):
        with pytest.raises(RebuildError, match="another rebuild is filling orders-v3"):
            rebuild(settings, remapped(), ignore_progress)
        ended.set()
    other.give_up()

    assert indices(client) == {"orders-v2": {"orders"}}


def test_rebuild_command_shows_its_plan_and_names_bad_records(
    settings: Settings, client: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, [enriched_order("o1", lines=(enriched_line(), enriched_line(2, "p2")))])
    with producing(settings) as producer:
        producer.send(ENRICHED_ORDERS.name, key=b"o2", value=b"{", partition=2)
    for name, value in settings.as_variables().items():
        monkeypatch.setenv(name, value)

    asked = CliRunner().invoke(main, ["search", "rebuild", "orders"])
    done = CliRunner().invoke(main, ["search", "rebuild", "orders", "--yes"])
    client.indices.delete(index="orders-v2-2")
    without = CliRunner().invoke(main, ["search", "rebuild", "orders", "--yes"])

    assert (asked.exit_code, "run it again with --yes" in asked.output) == (1, True)
    assert "orders: orders-v2 (mapping version 2, 0 documents) is replaced by a new index" in done.output
    assert "bad record: enriched-orders, partition 2, offset " in done.output
    assert "done: orders is orders-v2-2, from 2 records" in done.output
    assert without.exit_code == 1
    assert "run `python -m ops search apply`" in without.output
