"""What is the data, and what is asked of it? One file a table, a view, a pipeline.

It is a package so that its files are found in a zip, too.
"""

import re
from collections.abc import Mapping
from importlib import resources

_SETTING = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class SqlFileError(ValueError):
    """A file of this package can't be used as it is; the text says which, where and why."""


def read(path: str, variables: Mapping[str, str]) -> str:
    """A file's text, e.g. of `tables/payments.sql`, with every `${NAME}` filled in; quotes in a value are doubled.

    Raises:
        SqlFileError: there is no such file, or no value for a name in it.
    """
    file = resources.files(__name__).joinpath(path)
    if not file.is_file():
        raise SqlFileError(f"there is no sql/{path}")
    text = file.read_text(encoding="utf-8")

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in variables:
            line = text.count("\n", 0, match.start()) + 1
            raise SqlFileError(f"sql/{path}, line {line}: ${{{name}}} has no value; set the variable {name}")
        return variables[name].replace("'", "''")

    return _SETTING.sub(fill, text)
