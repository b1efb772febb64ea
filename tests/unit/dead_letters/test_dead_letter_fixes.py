"""Fixes of dead letters: functions in a file, whose faults are reported record by record."""

from pathlib import Path

import pytest

from ops.dead_letters.fixes import FixError, load
from ops.dead_letters.rejected_record import Record, rejected_records
from tests.builders.events import dead_letter

[REJECTED] = rejected_records([dead_letter(payload=b'{"currency":"euro"}')])


def fixed(tmp_path: Path, body: str, name: str = "fix.py", given: str = "") -> Record | None:
    """Return the record that a function with this body makes of the rejected one."""
    file = tmp_path / name
    file.write_text(f"from dataclasses import replace\n\n\ndef fix(record):\n    {body}\n")
    return load(given or str(file))(REJECTED.record)


def test_fix_returns_the_fixed_record(tmp_path: Path) -> None:
    fixed_record = fixed(tmp_path, "return record.with_document(record.document() | {'currency': 'EUR'})")

    assert fixed_record is not None
    assert fixed_record.value == b'{"currency":"EUR"}'


def test_fix_that_returns_none_skips_the_record(tmp_path: Path) -> None:
    assert fixed(tmp_path, "return None") is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return record.document()['price']", "the fix failed in line 5: KeyError: 'price'"),
        ("return record.document()", "returned a dict"),
        ("return replace(record, topic='orders')", "changed topic, partition or offset"),
        ("return replace(record, offset=1)", "changed topic, partition or offset"),
        ("return replace(record, value='text')", "made a str of value"),
        ("return replace(record, headers={'h': 1})", "made a int of h"),
        ("return replace(record, timestamp=1.5)", "made 1.5 the timestamp"),
    ],
)
def test_fault_of_a_fix_is_reported(tmp_path: Path, body: str, reason: str) -> None:
    with pytest.raises(FixError, match=reason.replace("(", r"\(")):
        fixed(tmp_path, body)


def test_fix_is_another_function_if_named_after_a_colon(tmp_path: Path) -> None:
    (tmp_path / "fix.py").write_text("def leave(record):\n    return None\n")

    assert load(f"{tmp_path / 'fix.py'}:leave")(REJECTED.record) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{folder}/none.py", "there is no Python file"),
        ("{folder}/fix.py:other", "has no function other"),
        ("{folder}/broken.py", "broken.py can't be run: SyntaxError"),
    ],
)
def test_fix_that_can_not_be_loaded_is_reported(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "fix.py").write_text("def fix(record):\n    return record\n")
    (tmp_path / "broken.py").write_text("def fix(record:\n")

    with pytest.raises(FixError, match=reason):
        load(text.format(folder=tmp_path))


def test_changed_file_is_another_fix(tmp_path: Path) -> None:
    file = tmp_path / "fix.py"
    file.write_text("def fix(record):\n    return record\n")
    before = load(str(file)).label

    file.write_text("def fix(record):\n    return None\n")

    assert before.startswith("fix.py:fix sha256:")
    assert load(str(file)).label != before
