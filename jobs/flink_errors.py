"""Explains Flink's errors for a statement: the reason without Java's frames, and what to do about it."""

import difflib
import re
from collections.abc import Iterator

from py4j.protocol import Py4JJavaError
from pyflink.util.exceptions import JavaException

import sql

FLINK_ERRORS = (Py4JJavaError, JavaException)
"""Errors that PyFlink raises for an exception in Java; the latter contains only the stack trace."""
POSITION = re.compile(r"(?:,\s*)?(?:From|At|at) line (\d+), column (\d+)(?: to line \d+, column \d+)?(?:: |\.)?")

_PYTHON_PREFIX = re.compile(r"\AAn error occurred while calling \S+\n: ")
_FRAME = re.compile(r"\t+(?:at |\.\.\. \d|Suppressed: )")
_CLASS = re.compile(r"\A((?:[\w$]+\.)+[\w$]+)(?:: |\Z)")
_DEFAULT_PATH = re.compile(r"`?default_catalog`?\.`?default_database`?\.")
_NOT_FOR_READERS = re.compile(
    r"SQL validation failed\.\s*"
    r"|\s*(?:Was expecting|Table options are:|Supported options:|Available factory identifiers).*"
    r"|\AError while applying rule .*"
    r"|An exception was raised by the Python Proxy\. Return Message: Traceback .*\n(?=[\w.]+(?:Error|Exception)\b)"
    r"|(?<=for the given query:) *\n\n.*\n(?=\nThis exception indicates)",
    re.DOTALL,
)
_ADVICE = (
    (
        r"doesn't support consuming (update|delete)",
        "the query takes back rows that it has emitted, and this sink only takes new ones: aggregate by window, whose "
        "rows are final, or write to 'connector' = 'upsert-kafka' with the query's key as PRIMARY KEY",
    ),
    (
        r"Sort on a non-time-attribute field",
        "a stream has no end at which all of it could be sorted: rank within a window, sort by the time attribute, or "
        "leave ORDER BY out",
    ),
    (
        r"timecol is a time attribute|[Aa] time attribute (type )?is (expected|required)|on a time attribute",
        "the source's table needs WATERMARK FOR a TIMESTAMP(3) or TIMESTAMP_LTZ(3) column, such as WATERMARK FOR "
        "event_time AS event_time - INTERVAL '5' SECOND, and the query must pass on this column unchanged",
    ),
    (
        r"size must be an integral multiple of",
        "HOP takes first the step, then the size, which must be a multiple of it",
    ),
    (
        r"OVER (RANGE|ROWS) FOLLOWING|FOLLOWING windows",
        "a stream doesn't know what follows: use PRECEDING, or MATCH_RECOGNIZE",
    ),
    (
        r"Property group\.id is required",
        "add 'properties.group.id' = '${CONSUMER_GROUP}' to the table's WITH, or 'scan.startup.mode' = "
        "'earliest-offset' and no group",
    ),
    (
        r"ON CONFLICT|on-conflict",
        "declare in the INSERT what is to happen: ON CONFLICT DO DEDUPLICATE, DO NOTHING or DO ERROR",
    ),
    (
        r"Cannot discover a connector|Could not find any factory for identifier '[^']+' that implements",
        "Flink has no jar with it; toolchain/jars.py lists those that it has, and ADD JAR 'path' brings another",
    ),
    (
        r"due to implementation errors",
        "Flink has no such class, or can't use it; ADD JAR 'path/to.jar' in front brings a jar with it",
    ),
    (
        # Flink's parser fails on its own report of the overflow.
        r"StackOverflowError|SqlParseException\.getMessage\(\)\" is null",
        "the statement is nested more deeply than Flink can read: cut it into views",
    ),
)


def reason(error: BaseException) -> str:
    """Return why Flink refuses, from the outermost exception to the root cause, without repetitions."""
    thrown = list(_thrown(error))
    messages: list[str] = []
    for _, message in thrown:
        if message and not any(message in each for each in messages) and "Exception: " not in message:
            messages.append(message)
    return _DEFAULT_PATH.sub("", " ".join(" ".join(each.split()) for each in messages) or thrown[-1][0])


def root_cause(error: BaseException) -> str:
    """Return the root cause of a job's failure."""
    name, message = list(_thrown(error))[-1]
    return f"{name}: {message}" if message else name


def advice(words: str) -> str:
    """Return what to do about a reason, to be appended to it; empty if the reason is sufficient."""
    missing = re.search(r"Object '(\w+)' not found|Source table '`?(\w+)`?' of the LIKE", words)
    if missing:
        return _instead_of(missing[1] or missing[2])
    return next((f"; {what}" for pattern, what in _ADVICE if re.search(pattern, words)), "")


def _instead_of(missing: str) -> str:
    known = [name for folder in ("tables", "views") for name in sql.names(folder)]
    similar = difflib.get_close_matches(missing, known, 1)
    meant = f"; did you mean {similar[0]}?" if similar else ""
    return f"; the pipeline doesn't create it, and neither sql/tables nor sql/views has {missing}.sql{meant}"


def _thrown(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield class and message of each Java exception, the outermost first."""
    lines: list[list[str]] = [[]]
    for line in _PYTHON_PREFIX.sub("", str(error)).splitlines():
        if _FRAME.match(line):
            continue
        if line.startswith("Caused by: "):
            lines.append([])
        lines[-1].append(line.removeprefix("Caused by: "))
    for each in lines:
        text = "\n".join(each)
        named = _CLASS.match(text)
        message = text[named.end() :] if named else text
        yield named[1].rpartition(".")[2] if named else text, _NOT_FOR_READERS.sub("", message).strip()
