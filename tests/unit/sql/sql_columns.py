"""Reads the columns of a `CREATE TABLE` file: enough of SQL for the files in `sql/tables`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NOT_COLUMNS = ("WATERMARK", "PRIMARY", "CONSTRAINT")


@dataclass(frozen=True)
class Column:
    """One column; `metadata` is the key that it is read from, its own name if it has no FROM, empty if none."""

    name: str
    type: str
    metadata: str


def columns(file: Path) -> list[Column]:
    """Return the table's columns as they are declared; computed columns are left out."""
    text = re.sub(r"--.*| (?:<|>=) ", "", file.read_text("utf-8"))  # comments and comparisons: a type has `ROW<`
    declarations = text[text.index("(") + 1 : text.index(") WITH")]
    return [column for declared in _split(declarations) if (column := _column(declared))]


def option(file: Path, name: str) -> str:
    """Return the value of a table option, its own or the one that it takes by LIKE; empty if it isn't set."""
    text = file.read_text("utf-8")
    if found := re.search(rf"'{re.escape(name)}'\s*=\s*'([^']*)'", text):
        return found[1]
    like = re.search(r"^\) LIKE (\w+)", text, re.MULTILINE)
    return option(file.with_stem(like[1]), name) if like else ""


def _split(declarations: str) -> Iterator[str]:
    """Split at the commas that aren't within `<…>` or `(…)`."""
    depth, current = 0, ""
    for character in declarations:
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            yield current
            current = ""
        else:
            current += character
    yield current


def _column(declared: str) -> Column | None:
    words = re.sub(r"< | (?=>)", lambda found: found[0].strip(), " ".join(declared.replace("`", "").split()))
    if words.upper().startswith(NOT_COLUMNS) or " AS " in words:
        return None
    name, _, rest = words.partition(" ")
    type_, has_metadata, source = re.sub(r" (NOT NULL|VIRTUAL)", "", rest).partition(" METADATA")
    metadata = source.removeprefix(" FROM ").strip("'") or name
    return Column(name, type_, metadata if has_metadata else "")
