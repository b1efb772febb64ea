"""Dead letters in a file: without loss; edited records are sent as edited, and ambiguous edits are refused."""

import json
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import DeadLetter, Header
from ops.dead_letters.export import ExportError, edited, read, write
from ops.dead_letters.reading import Replays
from ops.dead_letters.record_headers import pairs_of
from ops.dead_letters.rejected_record import Record, rejected_records
from tests.builders.events import dead_letter

LETTER = dead_letter(payload=b'{"currency":"euro"}', source_headers={"trace": b"t1", "none": None})
NOTHING_SENT = Replays(())


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def read_back(file: Path, *letters: DeadLetter) -> list[Record]:
    """Return the records of the file."""
    found = read(file)
    return [edited(each.record, found[each.letter.event_id]) for each in rejected_records(letters)]


def changed(tmp_path: Path, letter: DeadLetter = LETTER, **changes: Any) -> Record:
    """Return the dead letter's record after its line was edited."""
    file = tmp_path / "letters.jsonl"
    write(file, [letter], NOTHING_SENT)
    [line] = lines(file)
    file.write_text(json.dumps(line | changes) + "\n", "utf-8")
    return read_back(file, letter)[0]


@given(
    payload=st.none() | st.binary() | st.text().map(str.encode),
    key=st.none() | st.binary(),
    headers=st.dictionaries(st.text(), st.none() | st.binary(), max_size=2),
)
def test_unedited_export_keeps_every_byte(
    tmp_path_factory: pytest.TempPathFactory, payload: bytes | None, key: bytes | None, headers: dict[str, bytes | None]
) -> None:
    file = tmp_path_factory.mktemp("export") / "letters.jsonl"
    letter = dead_letter(payload=payload, source_key=key, source_headers=headers)

    write(file, [letter], NOTHING_SENT)

    assert read_back(file, letter) == [each.record for each in rejected_records([letter])]


def test_export_is_a_new_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    file = tmp_path / "letters.jsonl"
    write(file, [LETTER], NOTHING_SENT)

    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ExportError, match="File exists"):
        write(file, [LETTER], NOTHING_SENT)
    with pytest.raises(ExportError, match="File exists"):
        write(Path("/dev/stdout"), [LETTER], NOTHING_SENT)


def test_failed_export_leaves_no_file(tmp_path: Path) -> None:
    def cut_short() -> Iterator[DeadLetter]:
        yield LETTER
        raise ConnectionError("no broker answers")

    file = tmp_path / "letters.jsonl"
    with pytest.raises(ConnectionError):
        write(file, cut_short(), NOTHING_SENT)

    assert not file.exists()


def test_full_disk_is_reported_and_leaves_no_file(tmp_path: Path) -> None:
    file = tmp_path / "letters.jsonl"
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))
    try:
        with pytest.raises(ExportError, match=f"{file} can't be written: File too large; nothing was exported"):
            write(file, [LETTER], NOTHING_SENT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        signal.signal(signal.SIGXFSZ, before)

    assert not file.exists()


def test_dead_letter_is_one_readable_line(tmp_path: Path) -> None:
    write(tmp_path / "letters.jsonl", [LETTER, dead_letter("payments-0-18", b"\xff")], NOTHING_SENT)

    text, binary = lines(tmp_path / "letters.jsonl")

    assert (text["id"], text["time"], text["key"]["text"]) == ("payments-0-17", "2026-03-01 12:00:00 UTC", "c1")
    assert text["payload"] == {"text": '{"currency":"euro"}', "base64": "eyJjdXJyZW5jeSI6ImV1cm8ifQ=="}
    assert binary["payload"] == {"base64": "/w=="}


def test_edited_text_is_sent(tmp_path: Path) -> None:
    payload = {"text": '{"currency":"EUR"}', "base64": "eyJjdXJyZW5jeSI6ImV1cm8ifQ=="}

    assert changed(tmp_path, payload=payload).value == b'{"currency":"EUR"}'


def test_edited_base64_is_sent(tmp_path: Path) -> None:
    payload = {"text": '{"currency":"euro"}', "base64": "e30="}

    assert changed(tmp_path, payload=payload).value == b"{}"


@pytest.mark.parametrize("payload", [{"text": "{}", "base64": "W10="}, {"text": "", "base64": ""}])
def test_text_and_base64_that_differ_are_refused(tmp_path: Path, payload: dict[str, str]) -> None:
    if payload["text"] == "":
        assert changed(tmp_path, payload=payload).value == b""
        return
    with pytest.raises(ExportError, match="payload: text and base64 were both changed, and differ"):
        changed(tmp_path, payload=payload)


def test_key_timestamp_and_headers_can_be_edited(tmp_path: Path) -> None:
    record = changed(tmp_path, key=None, timestamp=5, headers={"trace": {"text": "t2", "base64": "dDE="}})

    assert (record.key, record.timestamp, record.headers) == (None, 5, {"trace": b"t2"})


def test_edited_coordinates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="line 1: topic, partition and offset aren't those of payments-0-17"):
        changed(tmp_path, offset=18)


def test_one_of_two_lines_about_one_record_may_be_edited(tmp_path: Path) -> None:
    letters = [
        LETTER,
        dead_letter(payload=LETTER.payload, source_headers=LETTER.source_headers, rejected_by="warehouse"),
    ]
    file = tmp_path / "letters.jsonl"
    write(file, letters, NOTHING_SENT)
    first, second = lines(file)
    second["payload"]["text"] = "{}"
    file.write_text(json.dumps(first) + "\n\n" + json.dumps(second), "utf-8")

    assert [record.value for record in read_back(file, *letters)] == [b"{}"]

    first["payload"]["text"] = "[]"
    file.write_text(json.dumps(first) + "\n\n" + json.dumps(second), "utf-8")
    with pytest.raises(ExportError, match="lines 1 and 3 are one record"):
        read_back(file, *letters)


@pytest.mark.parametrize("text", ["{", '{"id": "a"}', '{"surprise": 1}', "\xff"])
def test_invalid_line_is_reported_by_its_number(tmp_path: Path, text: str) -> None:
    file = tmp_path / "letters.jsonl"
    write(file, [LETTER], NOTHING_SENT)
    with file.open("ab") as opened:
        opened.write(text.encode("latin-1"))

    with pytest.raises(ExportError, match="line 2"):
        read(file)


def test_repeated_headers_are_exported_in_order_and_editable(tmp_path: Path) -> None:
    listed = (Header(name="h", value=b"1"), Header(name="other", value=None), Header(name="h", value=b"2"))
    letter = dead_letter(source_headers={"h": b"2", "other": None}, header_list=listed)
    file = tmp_path / "letters.jsonl"
    write(file, [letter], NOTHING_SENT)
    file.write_text(file.read_text().replace('{"text":"2","base64":"Mg=="}', '{"text":"3","base64":"Mg=="}'))

    [record] = read_back(file, letter)

    assert pairs_of(record.headers) == (("h", b"1"), ("other", None), ("h", b"3"))
