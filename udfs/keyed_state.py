"""Keyed state of Flink functions: its encoding, and the one event-time timer that each key has."""

from typing import Any, Generic, TypeVar

import msgspec

State = TypeVar("State")


class StateVersionError(ValueError):
    """Keyed state was written by a version of the job that this one doesn't know."""


class StateCodec(Generic[State]):
    """Encodes one state value: a version byte, then MessagePack. Savepoints hold these bytes."""

    def __init__(self, name: str, state_type: type[State], *, version: int, empty: State) -> None:
        """
        Args:
            name: what error messages call the state.
            empty: value of a key that has no state.
        """
        self._name = name
        self._version = bytes([version])
        self._empty = empty
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(state_type)

    def encode(self, state: State) -> bytes:
        """Encode a state value."""
        return self._version + self._encoder.encode(state)

    def decode(self, encoded: bytes | None) -> State:
        """Decode what `encode` wrote; return the empty value for None.

        Raises:
            StateVersionError: the version byte is unknown.
        """
        if encoded is None:
            return self._empty
        if encoded[:1] != self._version:
            raise StateVersionError(
                f"{self._name} has version {encoded[0]}, this job reads {self._version[0]}: restore the savepoint with "
                "the release that wrote it, or with a later one"
            )
        return self._decoder.decode(memoryview(encoded)[1:])


def move_timer(timers: Any, before: int | None, after: int | None, fired: int | None = None) -> None:
    """Move a key's only event-time timer.

    Args:
        timers: Flink's timer service.
        before: event time at which the timer was set, or None.
        after: event time at which it must be set now, or None.
        fired: event time of the timer that has just fired and so needs no deletion, or None.
    """
    if before == after and fired is None:
        return
    if before is not None and before != fired:
        timers.delete_event_time_timer(before)
    if after is not None:
        timers.register_event_time_timer(after)
