"""What is the data, and what is asked of it? One file a table, a view, a pipeline, and what reads these files.

It is a package so that its files are found in a zip, too.
"""

import re
from collections.abc import Mapping
from importlib import resources

_SETTING = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class SqlFileError(ValueError):
    """A SQL file can't be used as it is; the text says which, where and why."""


def read(path: str, variables: Mapping[str, str]) -> str:
    """A file's text, e.g. of `tables/payments.sql`, with every `${NAME}` filled in; quotes in a value are doubled.

    Raises:
        SqlFileError: there is no such file, or no value for a name in it.
    """
    return fill(template(path), variables, f"sql/{path}")


def template(path: str) -> str:
    """A file's text as it stands there.

    Raises:
        SqlFileError: there is no such file.
    """
    file = resources.files(__name__).joinpath(path)
    if not file.is_file():
        raise SqlFileError(f"there is no sql/{path}")
    return file.read_text(encoding="utf-8")


def names(folder: str) -> list[str]:
    """The files of a folder, e.g. of `tables`, by name and without their ending."""
    files = resources.files(__name__).joinpath(folder).iterdir()
    return sorted(file.name.removesuffix(".sql") for file in files if file.name.endswith(".sql"))


def fill(text: str, variables: Mapping[str, str], file: str) -> str:
    """The text with every `${NAME}` filled in; quotes in a value are doubled.

    Args:
        file: what it is called in an error.

    Raises:
        SqlFileError: there is no value for a name.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in variables:
            line = text.count("\n", 0, match.start()) + 1
            raise SqlFileError(f"{file}, line {line}: ${{{name}}} has no value; set the variable {name}")
        return variables[name].replace("'", "''")

    return _SETTING.sub(value, text)
