import msgspec
import pytest

from udfs.keyed_state import StateCodec, StateVersionError, move_timer

NUMBERS = StateCodec("state of numbers", tuple[int, ...], version=1, empty=())


def test_state_is_a_version_byte_and_messagepack() -> None:
    assert NUMBERS.encode((1, 2)) == b"\x01" + msgspec.msgpack.encode([1, 2])
    assert NUMBERS.decode(NUMBERS.encode((1, 2))) == (1, 2)


def test_key_without_state_has_the_empty_value() -> None:
    assert NUMBERS.decode(None) == ()


def test_state_of_an_unknown_version_is_refused() -> None:
    with pytest.raises(StateVersionError, match="state of numbers has version 9, this job reads 1: restore the"):
        NUMBERS.decode(b"\x09anything")


class Timers:
    """Event-time timers of one key."""

    def __init__(self, *times: int) -> None:
        self.times = set(times)

    def register_event_time_timer(self, time: int) -> None:
        self.times.add(time)

    def delete_event_time_timer(self, time: int) -> None:
        self.times.remove(time)


@pytest.mark.parametrize(("before", "after"), [(None, None), (None, 5), (5, 5), (5, 7), (7, 5), (5, None)])
def test_timer_moves_to_where_the_state_needs_it(before: int | None, after: int | None) -> None:
    timers = Timers() if before is None else Timers(before)

    move_timer(timers, before, after)

    assert timers.times == ({after} - {None})


@pytest.mark.parametrize("after", [5, 7, None])
def test_timer_that_fired_is_set_again_only_if_needed(after: int | None) -> None:
    timers = Timers()

    move_timer(timers, before=5, after=after, fired=5)

    assert timers.times == ({after} - {None})


def test_timer_of_another_time_that_fired_replaces_the_known_one() -> None:
    timers = Timers(7)

    move_timer(timers, before=7, after=8, fired=5)

    assert timers.times == {8}
