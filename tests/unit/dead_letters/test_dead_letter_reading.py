"""Selection of dead letters, and which of them were replayed."""

import pytest

from ops.dead_letters.reading import Replays, Selection
from tests.builders.events import dead_letter, replay

LETTER = dead_letter("payments-2-17", reason='currency "euro" doesn\'t match ^[A-Z]{3}$')


@pytest.mark.parametrize(
    ("selection", "is_meant"),
    [
        (Selection(), True),
        (Selection(ids=frozenset({"payments-2-17", "other"})), True),
        (Selection(ids=frozenset({"payments-2-1"})), False),
        (Selection(topics=frozenset({"payments"})), True),
        (Selection(topics=frozenset({"orders"})), False),
        (Selection(rejected_by=frozenset({"warehouse", "fraud_detection"})), True),
        (Selection(rejected_by=frozenset({"warehouse"})), False),
        (Selection(reason="MATCH currency"), True),
        (Selection(reason="currency late"), False),
        (Selection(since=LETTER.event_time), True),
        (Selection(since=LETTER.event_time + 1), False),
        (Selection(until=LETTER.event_time + 1), True),
        (Selection(until=LETTER.event_time), False),
        (Selection(partition=2), True),
        (Selection(partition=0), False),
        (Selection(offsets=(10, 17)), True),
        (Selection(offsets=(18, 20)), False),
        (Selection(topics=frozenset({"payments"}), partition=0), False),
    ],
)
def test_selection_takes_what_fulfils_all_conditions(selection: Selection, is_meant: bool) -> None:
    assert selection.takes(LETTER, Replays(())) == is_meant


@pytest.mark.parametrize("replayed", [True, False])
def test_selection_takes_replayed_or_other_dead_letters(replayed: bool) -> None:
    assert Selection(replayed=replayed).takes(LETTER, Replays([replay()])) is replayed
    assert Selection(replayed=replayed).takes(LETTER, Replays([])) is not replayed


def test_last_replay_of_a_dead_letter_counts() -> None:
    replays = Replays([replay(times=1), replay(times=2)])

    assert replays.of(LETTER) == replay(times=2)


def test_replay_counts_for_every_dead_letter_of_the_record() -> None:
    assert Replays([replay()]).of(dead_letter("payments-2-17", rejected_by="warehouse")) is not None


def test_record_of_a_recreated_topic_counts_as_not_replayed() -> None:
    anew = dead_letter("payments-2-17", event_time=LETTER.event_time + 1)

    assert Replays([replay()]).of(anew) is None
