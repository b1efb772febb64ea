"""Dead letters that a program in Python emits fit into their topic."""

import hashlib

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.dead_letter_size import END_OF_TIME_MS, cut_to_limit
from events import Cut, DeadLetter, Header
from tests.builders.events import dead_letter

LIMIT = 100_000


def test_dead_letter_that_fits_stays_as_it_is() -> None:
    letter = dead_letter(payload=b"x" * 1_000)

    assert cut_to_limit(letter, LIMIT) == letter


def test_payload_that_does_not_fit_is_cut_to_its_beginning() -> None:
    payload = b"abc" * 50_000

    letter = cut_to_limit(dead_letter(payload=payload, source_key=b"k"), LIMIT)

    digest = hashlib.sha256(payload).hexdigest()
    assert letter.cut == Cut(key_bytes=1, payload_bytes=150_000, payload_sha256=digest, headers=0)
    assert letter.payload == payload[: len(letter.payload or b"")]
    assert 70_000 < len(letter.payload or b"") < 75_000


def large_letters() -> st.SearchStrategy[DeadLetter]:
    """Generate dead letters of which any part may be larger than the limit."""
    pairs = st.lists(st.tuples(st.text(max_size=50), st.none() | st.binary(max_size=50)), max_size=5)
    return st.builds(
        lambda payload, key, headers, times, reason, event_time: dead_letter(
            payload=None if payload is None else b"\xff" * payload,
            source_key=None if key is None else b"\x00" * key,
            source_headers=dict(headers),
            header_list=tuple(Header(name=name, value=value) for name, value in headers * times),
            reason='"' * reason,
            event_time=event_time,
        ),
        payload=st.none() | st.integers(0, 300_000),
        key=st.none() | st.integers(0, 200_000),
        headers=pairs,
        times=st.integers(1, 2_000),
        reason=st.integers(0, 100_000),
        event_time=st.integers(-(2**63), 2**63 - 1),
    )


@given(large_letters())
def test_any_dead_letter_fits_with_its_key(given_letter: DeadLetter) -> None:
    letter = cut_to_limit(given_letter, LIMIT)

    encoded = msgspec.json.encode(letter)
    assert len(encoded) + len(letter.source_key or b"") <= LIMIT
    assert msgspec.json.decode(encoded, type=DeadLetter) == letter
    assert letter.source_time in {None, given_letter.event_time}
    assert 0 <= letter.event_time <= END_OF_TIME_MS
