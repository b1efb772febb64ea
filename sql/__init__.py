"""What is the data, and what is asked of it? One file a table, a view, a pipeline, and what reads these files.

It is a package so that its files are found in a zip, too.
"""

import re
from collections.abc import Iterable, Mapping
from importlib import resources

_SETTING = re.compile(r"(\$?)\$\{([A-Z][A-Z0-9_]*)\}")
_PART = re.compile(r"(?P<comment>--[^\n]*|/\*(?!\+).*?\*/)|'(?:[^']|'')*'|`(?:[^`]|``)*`", re.DOTALL)
"""A comment, or what can hold the beginning of one as text."""
_LIKE = re.compile(r"^\) LIKE (\w+)", re.MULTILINE)


class SqlFileError(ValueError):
    """A SQL file can't be used as it is; the text says which, where and why."""


def read(path: str, variables: Mapping[str, str]) -> str:
    """A file's text, e.g. of `tables/payments.sql`, with every `${NAME}` filled in; quotes in a value are doubled.

    Raises:
        SqlFileError: there is no such file, or no value for a name in it.
    """
    return fill(template(path), variables, f"sql/{path}")


def declarations(tables: Iterable[str], variables: Mapping[str, str]) -> dict[str, str]:
    """The statements of `tables/` that create some tables, by table; behind those whose options they take by LIKE.

    Raises:
        SqlFileError: as `read`.
    """
    found: dict[str, str] = {}
    for table in tables:
        text = read(f"tables/{table}.sql", variables)
        found |= declarations(_LIKE.findall(text), variables)
        found[table] = text
    return found


def template(path: str) -> str:
    """A file's text as it stands there.

    Raises:
        SqlFileError: there is no such file, or it isn't UTF-8.
    """
    file = resources.files(__name__).joinpath(path)
    if not file.is_file():
        raise SqlFileError(f"there is no sql/{path}")
    return decoded(file.read_bytes(), f"sql/{path}")


def decoded(content: bytes, file: str) -> str:
    """The text of a file, without a byte order mark, and with lines that end in a line feed alone.

    Args:
        file: what it is called in an error.

    Raises:
        SqlFileError: it isn't UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SqlFileError(
            f"{file}, line {line}: the file isn't UTF-8: byte 0x{content[error.start]:02x} can't stand here; "
            "save it as UTF-8"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def names(folder: str) -> list[str]:
    """The files of a folder, e.g. of `tables`, by name and without their ending."""
    files = resources.files(__name__).joinpath(folder).iterdir()
    return sorted(file.name.removesuffix(".sql") for file in files if file.name.endswith(".sql"))


def fill(text: str, variables: Mapping[str, str], file: str) -> str:
    """The text with every `${NAME}` outside of comments filled in; quotes in a value are doubled.

    `$${NAME}` becomes `${NAME}`, as text.

    Args:
        file: what it is called in an error.

    Raises:
        SqlFileError: there is no value for a name.
    """

    comments = [part.span() for part in _PART.finditer(text) if part["comment"]]

    def value(match: re.Match[str]) -> str:
        escape, name = match.groups()
        if any(start <= match.start() < end for start, end in comments):
            return match[0]
        if escape:
            return match[0][1:]
        if name not in variables:
            line = text.count("\n", 0, match.start()) + 1
            raise SqlFileError(
                f"{file}, line {line}: ${{{name}}} has no value; set the variable {name}, or write $${{{name}}} if "
                "these characters are meant"
            )
        return variables[name].replace("'", "''")

    return _SETTING.sub(value, text)
