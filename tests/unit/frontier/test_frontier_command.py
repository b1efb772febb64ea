"""The command says first up to when everything is where it belongs, then each arrow and each kind of sink."""

import json
from collections.abc import Callable, Sequence

import pytest
from click.testing import CliRunner, Result

from connectors.kafka import topics
from connectors.settings import Settings
from jobs import flow
from ops.__main__ import main
from ops.frontier import commands
from ops.frontier.arithmetic import Frontier
from ops.frontier.arrows import ARROWS, Arrow
from ops.frontier.observer import Observer, Picture
from ops.health.scope import Scope
from tests.builders.events import event_time
from tests.builders.health import NOW

NOON = event_time("12:00:00")
ORDERS = Arrow(flow.ORDER_ENRICHMENT, topics.ORDERS)
PAYMENTS = Arrow(flow.WAREHOUSE, topics.PAYMENTS)
ENRICHED = Arrow(flow.WAREHOUSE, topics.ENRICHED_ORDERS)
MESSAGES = Arrow(flow.NOTIFIER, topics.NOTIFICATIONS)
HELD = Frontier(NOON + 500, NOON + 500, held_by="event time")
COMPLETE = Frontier(NOON + 60_000, is_complete=True)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command over given frontiers, one picture after the other."""

    def run(*arguments: str, pictures: Sequence[dict[Arrow, Frontier]]) -> Result:
        left = list(pictures)
        monkeypatch.setattr(Observer, "observe", lambda *_: Picture(NOW, left.pop(0)))
        monkeypatch.setattr(commands, "PAUSE_SECONDS", 0.01)
        done = CliRunner().invoke(main, ["frontier", *arguments])
        assert left == []
        return done

    return run


def test_whole_picture_comes_first_then_arrows_then_sinks(ask: Callable[..., Result]) -> None:
    done = ask(pictures=[{ORDERS: HELD, PAYMENTS: COMPLETE, ENRICHED: COMPLETE, MESSAGES: COMPLETE}])

    assert done.exit_code == 0
    assert done.output == (
        "everything up to 2026-03-01 12:00:00 UTC is in Kafka and in PostgreSQL and mailed, or held back by the "
        "notification policy; held by orders → order_enrichment: event time\n"
        "\n"
        "arrow                        sink         up to                    complete  held by\n"
        "orders → order_enrichment    Kafka        2026-03-01 12:00:00 UTC  no        event time\n"
        "payments → warehouse         PostgreSQL   2026-03-01 12:01:00 UTC  yes\n"
        "enriched-orders → warehouse  PostgreSQL   2026-03-01 12:01:00 UTC  yes\n"
        "notifications → notifier     mail server  2026-03-01 12:01:00 UTC  yes\n"
        "\n"
        "everything up to 2026-03-01 12:00:00 UTC is in Kafka; held by orders → order_enrichment: event time\n"
        "everything up to 2026-03-01 12:00:00 UTC is in PostgreSQL; held by orders → order_enrichment: event time\n"
        "everything up to 2026-03-01 12:00:00 UTC is mailed, or held back by the notification policy; held by "
        "orders → order_enrichment: event time\n"
    )


def test_complete_picture_names_the_newest_record(ask: Callable[..., Result]) -> None:
    assert ask(pictures=[{PAYMENTS: COMPLETE}]).output.startswith(
        "everything is in PostgreSQL: the newest is of 2026-03-01 12:01:00 UTC\n"
    )
    assert ask(pictures=[{PAYMENTS: Frontier(is_complete=True)}]).output.startswith(
        "everything is in PostgreSQL: there are no records\n"
    )


def test_unknown_arrow_makes_the_whole_unknown_but_hides_no_other(ask: Callable[..., Result]) -> None:
    done = ask(pictures=[{ORDERS: Frontier(unknown="no Flink cluster answers"), PAYMENTS: COMPLETE}])

    lines = done.output.splitlines()
    assert done.exit_code == 1
    assert lines[0] == (
        "up to when everything is in Kafka and in PostgreSQL is unknown: 1 of 2 arrows are unknown; "
        "orders → order_enrichment: no Flink cluster answers"
    )
    assert lines[3].split("  ")[-1] == "no Flink cluster answers"
    assert "2026-03-01 12:01:00 UTC" in lines[4]


def test_document_has_all_in_milliseconds_too(ask: Callable[..., Result]) -> None:
    done = ask("--json", pictures=[{ORDERS: HELD}])

    held = {
        "up_to": "2026-03-01T12:00:00.500000+00:00",
        "up_to_ms": NOON + 500,
        "complete": False,
        "held_by": "event time",
        "unknown": "",
    }
    way = held | {"held_by": "orders → order_enrichment: event time"}
    assert json.loads(done.output) == {
        "at": NOW.isoformat(),
        "whole": way,
        "sinks": [{"sink": "Kafka", **way}],
        "arrows": [{"program": "order_enrichment", "topic": "orders", "sink": "Kafka", **held}],
    }


def test_command_waits_for_what_may_be_known_soon(ask: Callable[..., Result]) -> None:
    pending = {ORDERS: Frontier(unknown="no checkpoint yet", may_come=True)}

    assert ask(pictures=[pending, pending, {ORDERS: HELD}]).exit_code == 0
    assert ask("--wait", "0", pictures=[pending]).exit_code == 1


def test_only_the_chosen_programs_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Sequence[Arrow]] = []

    def observe(_observer: Observer, _scope: Scope, arrows: Sequence[Arrow]) -> Picture:
        asked.append(arrows)
        return Picture(NOW, {PAYMENTS: COMPLETE})

    monkeypatch.setattr(Observer, "observe", observe)

    done = CliRunner().invoke(main, ["frontier", "--only", "warehouse", "--only", "notifier"])

    sentence = "of warehouse, notifier alone: everything is in PostgreSQL: the newest is of 2026-03-01 12:01:00 UTC"
    assert [line for line in done.output.splitlines() if line.startswith("of ")] == [sentence] * 2
    assert asked == [[each for each in ARROWS if each.sink in {"PostgreSQL", "mail server"}]]


def test_services_that_do_not_answer_are_the_reason_of_every_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = {"kafka_bootstrap_servers": "127.0.0.1:9", "flink_rest_url": "http://127.0.0.1:9"}
    for name, value in Settings(**dead).as_variables().items():
        monkeypatch.setenv(name, value)

    done = CliRunner().invoke(main, ["frontier", "--json", "--wait", "0"])

    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert len(found["arrows"]) == len(ARROWS)
    assert all(each["unknown"].startswith("no Kafka broker answers") for each in found["arrows"])
