"""What is a pipeline? One file, together with the tables and views that it names and doesn't create itself."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import sql
from sql import SqlFileError
from sql.tools.allowed import FIRST_WORDS, QUERY, why_not_allowed, why_not_set
from sql.tools.statements import Statement, default_name, head_comment, split

_JUDGING = ("with_watermark", "millrace.watermarks.WithWatermark")
"""The function that a pipeline needs to find out what is late, and its class, which a file may name otherwise."""
_SUBTASKS = ("parallelism.default", "table.exec.resource.default-parallelism")
_TEMPLATE = re.compile(r"^CREATE TEMPORARY VIEW (\w+)\$\{TABLE\}", re.MULTILINE)


@dataclass(frozen=True)
class Pipeline:
    """Content of a pipeline's file, in the order in which Flink gets it."""

    name: str
    file: str
    """What the file is called in an error."""
    comment: str
    """The one that it begins with."""
    preparations: tuple[Statement, ...]
    """SET, CREATE and the like, also of files of `sql/` that are named, each before its use."""
    inserts: tuple[Statement, ...]
    """All of them run as one job."""

    def behind(self, insert: Statement) -> list[Statement]:
        """The tables and views that an insert reads, directly or by others, in the order in which they are created."""
        wanted, found = insert.references() - {insert.target()}, []
        for statement in reversed(self.preparations):
            if statement.creates() in wanted:
                found.append(statement)
                wanted |= statement.references()
        return found[::-1]

    def judges_lateness(self) -> bool:
        """Whether it reads through `with_watermark`, so that each step needs to have one subtask."""
        return any(each.mentions(word) for each in (*self.preparations, *self.inserts) for word in _JUDGING)


@dataclass(frozen=True)
class PipelineFile:
    """A pipeline as it is written down."""

    name: str
    label: str
    """What it is called in an error."""
    text: str
    is_ours: bool
    """Whether it is one of `sql/pipelines`."""


def find(name: str) -> PipelineFile:
    """A file of `sql/pipelines` by its name without ending, or any `.sql` file by its path.

    Raises:
        SqlFileError: there is no such file, or its name is taken.
    """
    known = sql.names("pipelines")
    if name in known:
        return PipelineFile(name, f"sql/pipelines/{name}.sql", sql.template(f"pipelines/{name}.sql"), True)
    path = Path(name)
    if path.suffix != ".sql":
        raise SqlFileError(
            f"there is no pipeline {name!r}; there are: {', '.join(known)}; or give a path to a .sql file"
        )
    text = _text(path)
    if path.stem in known and text != sql.template(f"pipelines/{path.stem}.sql"):
        raise SqlFileError(
            f"{name} is called like sql/pipelines/{path.stem}.sql and would take over its consumer group and state; "
            "give the file another name"
        )
    return PipelineFile(path.stem, name, text, False)


def _text(path: Path) -> str:
    if not path.is_file():
        raise SqlFileError(f"there is no file {path}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SqlFileError(f"{path} can't be read: {error.strerror}") from error
    return sql.decoded(content, str(path))


def load(file: PipelineFile, variables: Mapping[str, str]) -> Pipeline:
    """A pipeline with what it names.

    Args:
        variables: what fills `${…}`.

    Raises:
        SqlFileError: something in a file can't be right; the text says where.
    """
    filled = {**variables, "JOB": file.name}
    statements = split(sql.fill(file.text, filled, file.label), file.label)
    loading = _Loading(filled, {name for each in statements if (name := default_name(each.created_path()))})
    for statement in statements:
        loading.add(statement)
    if not loading.inserts:
        raise SqlFileError(_without_insert(file, statements))
    comment = head_comment(file.text)
    pipeline = Pipeline(file.name, file.label, comment, tuple(loading.preparations), tuple(loading.inserts))
    if pipeline.judges_lateness():
        _check_subtasks(statements)
    return pipeline


def _without_insert(file: PipelineFile, statements: Sequence[Statement]) -> str:
    for statement in statements:
        if statement.first_word not in FIRST_WORDS:
            kind = QUERY if statement.first_word in {"SELECT", "WITH", "VALUES", "("} else ""
            return f"{statement.place}: {why_not_allowed(kind)}"
    return f"{file.label}: nothing is inserted anywhere; write EXECUTE STATEMENT SET BEGIN … END"


class _Loading:
    """The statements so far, and what is created by them and by what follows in the file."""

    def __init__(self, variables: Mapping[str, str], created: set[str]) -> None:
        self.variables = variables
        self.preparations: list[Statement] = []
        self.inserts: list[Statement] = []
        self._created = created
        self._templates = dict(_templates())

    def add(self, statement: Statement) -> None:
        if statement.is_statement_set() or statement.is_insert():
            if self.inserts:
                raise SqlFileError(
                    f"{statement.place}: a pipeline is one job, with one statement set; put all inserts into one "
                    "EXECUTE STATEMENT SET BEGIN … END"
                )
            self.inserts = statement.inserts() if statement.is_statement_set() else [statement]
            for insert in self.inserts:
                if not insert.is_insert():
                    raise SqlFileError(f"{insert.place}: only INSERT can stand in a statement set")
                self._include_what_is_named(insert)
            return
        if statement.first_word == "SET":
            _check_setting(statement)
        for jar in statement.jars():
            if urlsplit(jar).scheme not in ("", "file"):
                raise SqlFileError(
                    f"{statement.place}: {jar} would be fetched while the pipeline is only planned; download it, and "
                    "name the file"
                )
        if self.inserts:
            raise SqlFileError(f"{statement.place}: it stands behind the inserts, which would not know of it")
        self._include_what_is_named(statement)
        self._prepare(statement)

    def _include_what_is_named(self, statement: Statement) -> None:
        functions = {name for name in sql.names("functions") if statement.mentions(name)}
        for name in sorted((statement.references() | functions) - {statement.creates()}):
            self._include(name)

    def _include(self, name: str) -> None:
        if name in self._created:
            return
        path, variables = self._file(name)
        if path is None:
            return
        for statement in split(sql.read(path, variables), f"sql/{path}"):
            self._include_what_is_named(statement)
            self._prepare(statement)

    def _file(self, name: str) -> tuple[str | None, Mapping[str, str]]:
        for folder in ("tables", "views", "functions"):
            if name in sql.names(folder):
                return f"{folder}/{name}.sql", self.variables
        for prefix, path in self._templates.items():
            if name.startswith(prefix):
                return path, {**self.variables, "TABLE": name.removeprefix(prefix)}
        return None, self.variables

    def _prepare(self, statement: Statement) -> None:
        self.preparations.append(statement)
        if created := default_name(statement.created_path()):
            self._created.add(created)


def _check_setting(statement: Statement) -> None:
    setting = statement.setting()
    if setting is None:
        raise SqlFileError(f"{statement.place}: write SET 'key' = 'value'")
    if why_not := why_not_set(*setting):
        raise SqlFileError(f"{statement.place}: a file can't set this: {why_not}")


def _check_subtasks(statements: Sequence[Statement]) -> None:
    for statement in statements:
        key, value = statement.setting() or ("", "")
        if key in _SUBTASKS and value != "1":
            raise SqlFileError(
                f"{statement.place}: a file that reads through with_watermark can't set this: its steps have one "
                "subtask each, or Flink would drop late records in silence; leave it out, and write 'scan.parallelism' "
                "for a source that is to have more"
            )


def _templates() -> Iterator[tuple[str, str]]:
    """Views that are made for any table: what their name begins with, and their file."""
    for name in sql.names("views"):
        if found := _TEMPLATE.search(sql.template(f"views/{name}.sql")):
            yield found[1], f"views/{name}.sql"
