"""Dead letters on a real broker: each is replayed once, also after a kill, and the jobs give the right results.

Most of these tests need nothing but Kafka; they write the dead letters themselves, to topics of their own.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil
import pytest
from click.testing import CliRunner
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from connectors.kafka import topics
from connectors.kafka.dead_letter_size import cut_to_limit
from connectors.kafka.reading import committed_records
from connectors.kafka.topics import LETTER_TOPICS
from connectors.postgres.client import connecting
from connectors.settings import Settings
from events import DeadLetter, DeadLetterReplay, Header, Payment
from local.settings import CHECKOUT
from local.simulator.outgoing import BAD, GOOD, Outgoing
from local.simulator.payment_service import PaymentOptions, generate
from local.stack.supervisor import Stack
from ops.__main__ import main
from ops.dead_letters.decisions import Decision, decide, unchanged
from ops.dead_letters.reading import DeadLetters, Selection, replays_so_far
from ops.dead_letters.rejected_record import REPLAY_OF, REPLAYED_AT, REPLAYS, rejected_records
from ops.dead_letters.replay import RECORDS_A_TRANSACTION, ReplayError, Unsent, replay_records
from ops.topics import apply as topic_operations
from ops.warehouse import database as warehouse_operations
from tests.builders.events import payment
from tests.e2e.deployment import POLL_SECONDS, Deployment, ids, publish_default_rules, wait_for
from tests.reference_runs import fraud_detection as reference_run

PARTITIONS = 3
EVENT_TIME = round(time.time()) * 1000


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    """The shared stack with its topics."""
    settings = stack.setup.settings
    topic_operations.apply(settings)
    return settings


@pytest.fixture
def topic(settings: Settings, request: pytest.FixtureRequest) -> str:
    """A topic of the test's own, which isn't declared."""
    name = re.sub(r"\W", "-", request.node.name.removeprefix("test_"))[-60:]
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    return name


def dead_letters(topic: str, number: int = 3, **more: object) -> list[DeadLetter]:
    """Return dead letters of `number` records of a topic; their payloads are their numbers."""
    return [
        DeadLetter(
            event_id=f"{topic}-{n % PARTITIONS}-{n // PARTITIONS}",
            event_time=EVENT_TIME + n,
            source_topic=topic,
            source_partition=n % PARTITIONS,
            source_offset=n // PARTITIONS,
            **(
                {
                    "source_key": f"key-{n}".encode(),
                    "source_headers": {"trace": b"\xff"},
                    "payload": str(n).encode(),
                    "reason": f"number {n} is wrong",
                    "rejected_by": "a job",
                }
                | more  # type: ignore[arg-type]
            ),
        )
        for n in range(number)
    ]


def write(settings: Settings, written: Sequence[DeadLetter]) -> None:
    """Write dead letters as a job would."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, linger_ms=5)
    for letter in written:
        producer.send(
            topics.DEAD_LETTERS.name,
            key=letter.source_key,
            value=msgspec.json.encode(letter),
            timestamp_ms=letter.event_time,
        )
    producer.flush()
    producer.close()


def iso(milliseconds: int) -> str:
    """Return a time as the command line takes it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


def run(*arguments: str, fails: bool = False) -> str:
    """Run `python -m ops dead-letters …`, and return its output."""
    result = CliRunner().invoke(main, ["dead-letters", *arguments], catch_exceptions=False)
    assert (result.exit_code != 0) == fails, result.output
    return result.output


def sent(settings: Settings, topic: str) -> list[str]:
    """Return the committed values of a topic, sorted."""
    return sorted((record.value.decode() for record in committed_records(settings, topic)), key=int)


def replays(settings: Settings, topic: str) -> list[DeadLetterReplay]:
    """Return the replay marks of a topic's records."""
    found = [
        msgspec.json.decode(record.value, type=DeadLetterReplay)
        for record in committed_records(settings, topics.DEAD_LETTER_REPLAYS.name)
    ]
    return [each for each in found if each.source_topic == topic]


def decisions(settings: Settings, topic: str, *, again: bool = False) -> list[Decision]:
    """Return the decisions to replay all dead letters of a topic."""
    so_far = replays_so_far(settings)
    found = DeadLetters(settings, LETTER_TOPICS[0], Selection(topics=frozenset({topic})), so_far, print)
    real = topic_operations.describe(settings)
    return list(decide(rejected_records(found), unchanged, so_far, real, again=again, now=EVENT_TIME))


def test_replayed_record_is_unchanged_and_marked_as_replayed(settings: Settings, topic: str) -> None:
    write(settings, dead_letters(topic, 1, source_key=None))

    run("replay", f"{topic}-0-0", "--yes")

    [record] = committed_records(settings, topic)
    [mark] = replays(settings, topic)
    headers = dict(record.headers)
    assert (record.partition, record.key, record.value, record.timestamp) == (0, None, b"0", EVENT_TIME)
    assert (headers["trace"], headers["millrace-replay-of"]) == (b"\xff", f"{topic}-0-0".encode())
    assert headers["millrace-replays"] == b"1"
    assert (mark.letter_id, mark.times, mark.fix) == (f"{topic}-0-0", 1, "")
    assert (mark.sent_partition, mark.sent_offset) == (record.partition, record.offset)


def test_replayed_record_keeps_the_partition_that_its_producer_chose(settings: Settings, topic: str) -> None:
    drafts = dead_letters(topic, 9, source_key=b"one key")
    write(settings, drafts)

    run("replay", "--topic", topic, "--yes")

    found = {record.value: (record.key, record.partition) for record in committed_records(settings, topic)}
    assert found == {draft.payload: (b"one key", draft.source_partition) for draft in drafts}


def test_replayed_record_with_a_fixed_key_is_in_that_key_s_partition(
    settings: Settings, topic: str, tmp_path: Path
) -> None:
    keys = [f"other-{n}".encode() for n in range(6)]
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    places = {key: producer.send(topic, key=key, value=b"-1").get(10).partition for key in keys}
    producer.close()
    write(settings, dead_letters(topic, len(keys)))
    fix = tmp_path / "fix.py"
    fix.write_text(
        "from dataclasses import replace\n\n\ndef fix(record):\n"
        "    return replace(record, key=record.key.replace(b'key', b'other'))\n"
    )

    run("replay", "--topic", topic, "--fix", str(fix), "--yes")

    found = {record.key: record.partition for record in committed_records(settings, topic) if record.value != b"-1"}
    assert found == places


def test_replay_keeps_repeated_headers_in_their_order(settings: Settings, topic: str) -> None:
    pairs = [("b", b"1"), ("a", b"2"), ("b", b"3")]
    header_list = tuple(Header(name=name, value=value) for name, value in pairs)
    write(settings, dead_letters(topic, 1, source_headers={"a": b"2", "b": b"3"}, header_list=header_list))

    run("replay", f"{topic}-0-0", "--yes")

    [record] = committed_records(settings, topic)
    assert record.headers[:3] == pairs
    assert [name for name, _ in record.headers[3:]] == [REPLAY_OF, REPLAYS, REPLAYED_AT]


@pytest.mark.full
def test_replay_sends_the_other_records_when_kafka_refuses_one(settings: Settings, topic: str) -> None:
    limits = {"message.timestamp.before.max.ms": "3600000", "max.message.bytes": "10000"}
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, limits)])
    admin.close()
    written = dead_letters(topic, 20)
    written[4] = msgspec.structs.replace(written[4], event_time=EVENT_TIME - 7_200_000)
    written[11] = msgspec.structs.replace(written[11], payload=os.urandom(20_000))
    write(settings, written)

    output = run("replay", "--topic", topic, "--yes", fails=True)

    refused = {written[4].event_id, written[11].event_id}
    assert "18 sent" in output
    assert {line.split()[0] for line in output.splitlines() if "was not sent: Kafka refuses it" in line} == refused
    assert sent(settings, topic) == [str(n) for n in range(20) if n not in {4, 11}]
    by_partition: dict[int, list[int]] = {}
    for record in committed_records(settings, topic):
        by_partition.setdefault(record.partition, []).append(int(record.value))
    assert all(values == sorted(values) for values in by_partition.values())
    assert len(replays(settings, topic)) == 18


def test_cut_dead_letter_is_replayed_from_its_original_record(settings: Settings, topic: str, tmp_path: Path) -> None:
    value, headers = b"v" * 100_000, [("h", b"1"), ("h", b"2")]
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    producer.send(topic, partition=1, key=b"k" * 2_000, value=value, headers=headers, timestamp_ms=EVENT_TIME).get(10)
    producer.close()
    [draft] = dead_letters(
        topic,
        1,
        source_key=b"k" * 2_000,
        payload=value,
        source_headers={"h": b"2"},
        header_list=tuple(Header(name=name, value=value) for name, value in headers),
    )
    here = msgspec.structs.replace(cut_to_limit(draft, 50_000), event_id=f"{topic}-1-0", source_partition=1)
    gone = msgspec.structs.replace(here, event_id=f"{topic}-1-7", source_offset=7)
    write(settings, [here, gone])

    output = run("replay", "--topic", topic, "--yes", fails=True)
    exported = run("export", str(tmp_path / "letters.jsonl"), "--topic", topic)

    assert "1 sent" in output
    assert f"of 100,000 bytes, and the record is no longer in {topic}" in output
    [again] = [record for record in committed_records(settings, topic) if record.offset > 0]
    assert (again.partition, again.key, again.value, again.headers[:2]) == (1, b"k" * 2_000, value, headers)
    assert f"{topic}-1-7 is left out" in exported
    [line] = (tmp_path / "letters.jsonl").read_text().splitlines()
    assert json.loads(line)["payload"]["text"] == value.decode()
    assert "the first" in run("show", f"{topic}-1-7")


def test_replay_without_yes_sends_nothing(settings: Settings, topic: str) -> None:
    write(settings, dead_letters(topic))

    output = run("replay", "--topic", topic)

    assert "3 to be sent" in output
    assert "nothing was sent: add --yes to send" in output
    assert (sent(settings, topic), replays(settings, topic)) == ([], [])


def test_replay_sends_a_record_twice_only_with_again(settings: Settings, topic: str) -> None:
    write(settings, dead_letters(topic))
    assert "3 sent" in run("replay", "--topic", topic, "--yes")

    assert "0 sent" in run("replay", "--topic", topic, "--yes")
    assert sent(settings, topic) == ["0", "1", "2"]

    assert "1 sent" in run("replay", "--topic", topic, "--partition", "1", "--again", "--yes")
    assert sent(settings, topic) == ["0", "1", "1", "2"]
    last = max(replays(settings, topic), key=lambda each: each.times)
    assert (last.source_partition, last.times) == (1, 2)
    assert any(dict(record.headers)["millrace-replays"] == b"2" for record in committed_records(settings, topic))


def test_record_with_several_dead_letters_is_replayed_once(settings: Settings, topic: str) -> None:
    of_a_job = dead_letters(topic)
    of_another = dead_letters(topic, rejected_by="another job", reason="other words")
    write(settings, of_a_job + of_another + of_a_job)

    run("replay", "--topic", topic, "--rejected-by", "a job", "--yes")
    assert "0 sent" in run("replay", "--topic", topic, "--rejected-by", "another job", "--yes")

    assert sent(settings, topic) == ["0", "1", "2"]


def test_later_of_two_concurrent_replays_locks_out_the_earlier(settings: Settings, topic: str) -> None:
    number = 2 * RECORDS_A_TRANSACTION
    write(settings, dead_letters(topic, number))
    first, second = decisions(settings, topic), decisions(settings, topic)

    sending = replay_records(settings, first, fix="", again=False, replayed_by="the first")
    next(sending)
    rest = list(replay_records(settings, second, fix="", again=False, replayed_by="the second"))
    with pytest.raises(ReplayError, match="another replay has begun meanwhile"):
        list(sending)

    assert len(rest) == number - RECORDS_A_TRANSACTION
    assert sent(settings, topic) == [str(n) for n in range(number)]
    assert len(replays(settings, topic)) == number


def test_replay_planned_before_another_one_ran_sends_nothing(settings: Settings, topic: str) -> None:
    write(settings, dead_letters(topic))
    too_early = decisions(settings, topic)

    list(replay_records(settings, decisions(settings, topic), fix="", again=False, replayed_by="another"))

    assert list(replay_records(settings, too_early, fix="", again=False, replayed_by="us")) == []
    assert sent(settings, topic) == ["0", "1", "2"]


def test_replay_sends_other_topics_when_one_is_deleted_meanwhile(settings: Settings, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    gone = f"{topic[-40:]}-gone"
    admin.create_topics({gone: {"num_partitions": PARTITIONS, "replication_factor": 1}}, wait_for_metadata=True)
    write(settings, [*dead_letters(gone), *dead_letters(topic)])
    decided = [*decisions(settings, gone), *decisions(settings, topic)]

    admin.delete_topics([gone])
    wait_for("the topic to be gone", lambda: gone not in topic_operations.describe(settings))
    outcomes = list(replay_records(settings, decided, fix="", again=False, replayed_by="us"))
    admin.close()

    refused = [each.decision.rejected.letter.source_topic for each in outcomes if isinstance(each, Unsent)]
    assert refused == [gone] * 3
    assert sent(settings, topic) == ["0", "1", "2"]


@pytest.mark.full
@pytest.mark.parametrize(("when", "transactions"), [("sending", 4), ("marking", 8)])
def test_replay_after_a_killed_one_sends_exactly_the_rest(
    settings: Settings, topic: str, when: str, transactions: int
) -> None:
    number = transactions * RECORDS_A_TRANSACTION
    write(settings, dead_letters(topic, number))

    kill_in_a_transaction(settings, topic, topic if when == "sending" else topics.DEAD_LETTER_REPLAYS.name)
    committed = sent(settings, topic)
    assert len(committed) % RECORDS_A_TRANSACTION == 0
    assert len(committed) < number
    assert len(replays(settings, topic)) == len(committed)

    assert f"{number - len(committed)} sent" in run("replay", "--topic", topic, "--yes")
    assert sent(settings, topic) == [str(n) for n in range(number)]
    assert len(replays(settings, topic)) == number


def kill_in_a_transaction(settings: Settings, topic: str, written: str) -> None:
    """Start a replay of all of a topic's records, and kill it inside a transaction that is not committed.

    Args:
        written: the topic that the open transaction writes to: that of the records, or that of the marks.
    """
    command = [sys.executable, "-m", "ops", "dead-letters", "replay", "--topic", topic, "--yes"]
    running = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL, env=dict(os.environ))
    process = psutil.Process(running.pid)
    seen, stable = (
        KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, isolation_level=level)
        for level in ("read_uncommitted", "read_committed")
    )
    partitions = [TopicPartition(written, number) for number in seen.partitions_for_topic(written)]

    def is_open() -> bool:
        return bool(seen.end_offsets(partitions) != stable.end_offsets(partitions))

    def is_stopped_in_a_transaction() -> bool:
        assert running.poll() is None, "it has sent everything before it could be killed"
        if not is_open():
            return False
        process.send_signal(signal.SIGSTOP)
        if all(is_open() for _ in range(50)):  # a request sent before the suspension may still be carried out
            return True
        process.send_signal(signal.SIGCONT)
        return False

    try:
        wait_for("an open transaction", is_stopped_in_a_transaction, most_poll_seconds=POLL_SECONDS)
    finally:
        running.kill()
        running.wait()
        seen.close()
        stable.close()


def test_edited_export_is_replayed(settings: Settings, topic: str, tmp_path: Path) -> None:
    write(settings, dead_letters(topic))
    file = tmp_path / "letters.jsonl"
    run("export", str(file), "--topic", topic)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    [edited] = [line for line in lines if line["payload"]["text"] == "1"]
    edited["payload"]["text"] = "17"
    kept = [line for line in lines if line["payload"]["text"] != "2"]
    file.write_text("\n".join(map(json.dumps, kept)))

    assert "-1 bytes that are no JSON object" in run("replay", "--export", str(file))
    run("replay", "--export", str(file), "--yes")

    assert sent(settings, topic) == ["0", "17"]
    assert sorted(each.fix for each in replays(settings, topic)) == ["", "edited export letters.jsonl"]


def test_fix_is_applied_where_possible_and_the_rest_is_reported(settings: Settings, topic: str, tmp_path: Path) -> None:
    write(settings, dead_letters(topic))
    fix = tmp_path / "fix.py"
    fix.write_text(
        "def double(record):\n"
        "    number = record.document()\n"
        "    return None if number == 0 else record.with_document(100 // (number - 1))\n"
    )

    output = run("replay", "--topic", topic, "--fix", f"{fix}:double", "--yes", fails=True)

    assert "1 not to be sent" in output
    assert "the fix failed in line 3: ZeroDivisionError" in output
    assert sent(settings, topic) == ["100"]
    [mark] = replays(settings, topic)
    assert mark.fix.startswith("fix.py:double sha256:")


def test_replay_to_a_missing_topic_is_an_error_that_names_the_topic(settings: Settings) -> None:
    write(settings, dead_letters("gone-for-good", 1))

    assert "there is no topic gone-for-good (any more)" in run("replay", "--topic", "gone-for-good", fails=True)


def test_replay_refuses_a_payment_that_breaks_its_schema(settings: Settings) -> None:
    value = msgspec.json.encode(payment(currency="euro"))
    [letter] = dead_letters("payments", 1, payload=value, rejected_by="held against")
    write(settings, [msgspec.structs.replace(letter, event_id="payments-0-999999", source_offset=999_999)])

    output = run("replay", "payments-0-999999", "--yes", fails=True)

    assert "REFUSED" in output
    assert "it would be rejected again" in output
    assert "0 sent" in output


def test_reasons_are_grouped_without_values_and_no_secret_is_shown(settings: Settings, topic: str) -> None:
    secret = {
        "source_key": b"4111111111111111",
        "payload": b'{"card_id": "card-12345678", "password": "hunter2"}',
        "source_headers": {"Authorization": b"Bearer hunter2"},
        "reason": 'number "4111111111111111" is wrong (byte 12)',
    }
    write(settings, dead_letters(topic, 200, **secret))

    counted = run("count", "--topic", topic)
    output = "".join(
        [counted, run("list", "--topic", topic), run("show", f"{topic}-0-0"), run("replay", "--topic", topic)]
    )

    rows = [line.split() for line in counted.splitlines() if topic in line]
    assert rows == [["200", "0", topic, "a", "job", "number", '"…"', "is", "wrong", "(byte", "N)"]]
    assert "hunter2" not in output
    assert "4111111111111111" not in output
    assert "card-12345678" not in output


def test_invalid_dead_letter_is_reported_and_hides_no_other(settings: Settings, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    place = producer.send(topics.DEAD_LETTERS.name, value=b"\x1b[31m", timestamp_ms=EVENT_TIME).get(10)
    producer.close()
    write(settings, dead_letters(topic, 1))

    output = run("list", "--topic", topic)

    assert f"warning: dead-letters-{place.partition}-{place.offset} is no dead letter" in output
    assert f"{topic}-0-0" in output


def test_filters_select_dead_letters_and_count_each_once(settings: Settings, topic: str) -> None:
    write(settings, dead_letters(topic, 9) + dead_letters(topic, 9))

    def chosen(*filters: str) -> int:
        rows = [line for line in run("count", "--topic", topic, *filters).splitlines() if line[:1].isdigit()]
        return sum(int(row.split()[0]) for row in rows)

    assert chosen("--reason", "WRONG 4") == 1
    assert chosen("--partition", "1", "--offset", "0-1") == 2
    assert chosen("--since", iso(EVENT_TIME + 2), "--until", iso(EVENT_TIME + 5)) == 3
    assert chosen("--since", "1d") == 9
    assert chosen("--until", "1d") == 0
    assert chosen("--not-replayed") == 9
    assert chosen("--from", "late-payments") == 0


@pytest.fixture
def jobs(settings: Settings) -> Iterator[tuple[Deployment, Deployment]]:
    """Two jobs that read payments: one finds fraud, one fills the warehouse."""
    publish_default_rules(settings)
    warehouse_operations.migrate(settings)
    fraud = Deployment(settings, "fixed")
    warehouse = Deployment(settings, "fixed", job="warehouse", outputs=(topics.DEAD_LETTERS,))
    try:
        fraud.start()
        warehouse.start()
        yield fraud, warehouse
    finally:
        fraud.cancel()
        warehouse.cancel()


def payments() -> list[Outgoing]:
    """Return a minute of payments with much fraud, which ended just now."""
    options = PaymentOptions(start_ms=round((time.time() - 70) * 1000), rate=20, seconds=60, seed=7, fraud_share=0.1)
    return list(generate(options))


def is_of(outgoing: Outgoing, cards: set[str]) -> bool:
    """Return whether the record is a payment with one of the cards."""
    return isinstance(outgoing.event, Payment) and outgoing.event.card_id in cards


def with_lower_case_currency(outgoing: Outgoing) -> Outgoing:
    """Return the same payment with its currency in lower case."""
    document = json.loads(outgoing.value())
    value = json.dumps(document | {"currency": document["currency"].lower()}).encode()
    return Outgoing(outgoing.topic, outgoing.key, outgoing.timestamp_ms, outgoing.send_at_ms, BAD, None, value)


def loaded(settings: Settings, ids: Sequence[str]) -> dict[str, str]:
    """Return the currency of those payments that are in the warehouse, by id."""
    with connecting(warehouse_operations.address(settings), statement_seconds=30) as connection:
        query = "SELECT payment_id, currency FROM warehouse.fact_payment WHERE payment_id = ANY(%s)"
        return dict(connection.execute(query, [list(ids)]).fetchall())


@pytest.mark.full
def test_fixed_and_replayed_payments_give_the_results_of_good_ones(
    settings: Settings, jobs: tuple[Deployment, Deployment], tmp_path: Path
) -> None:
    fraud, warehouse = jobs
    right = payments()
    expected = {
        alert.event_id: alert
        for alert in reference_run.alerts(reference_run.judged(right, reference_run.default_ruleset()))
    }
    cards = set(sorted({alert.card_id for alert in expected.values()})[::2])
    wrong = [with_lower_case_currency(each) if is_of(each, cards) else each for each in right]
    with_nul = payment("with-nul", iso(EVENT_TIME), merchant_id="m\u0000")
    fraud.publish([*wrong, Outgoing(topics.PAYMENTS, b"with-nul", EVENT_TIME, EVENT_TIME, GOOD, with_nul)])
    for job in jobs:
        job.wait_until_all_is_read()
    rejected = {each.payload: each.event_id for each in fraud.outputs().dead_letters()}
    wanted = [rejected[each.value()] for each in wrong if each.event is None]
    assert len(wanted) > 20
    (tmp_path / "currency.py").write_text(
        "def fix(record):\n"
        "    document = record.document()\n"
        "    return record.with_document(document | {'currency': document['currency'].upper()})\n"
    )

    output = run("replay", *wanted, "--fix", str(tmp_path / "currency.py"), "--yes")
    unchanged = rejected[msgspec.json.encode(with_nul)]
    run("replay", unchanged, "--yes")
    for job in jobs:
        job.wait_until_all_is_read()
    for job in jobs:
        job.stop()

    assert f"{len(wanted)} sent" in output
    assert ids(fraud.outputs().alerts()) == sorted(expected)
    currencies = {each.event.payment_id: each.event.currency for each in right if isinstance(each.event, Payment)}
    assert loaded(settings, list(currencies)) == currencies
    letters_of_the_warehouse = warehouse.outputs().dead_letters()
    [again] = [each for each in letters_of_the_warehouse if "millrace-replays" in each.source_headers]
    assert f"replayed once, as {unchanged}" in run("show", again.event_id)
