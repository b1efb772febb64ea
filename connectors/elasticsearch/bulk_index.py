"""How do documents get into Elasticsearch? Many in one bulk request, with a verdict on each, in whatever mood it is.

Where the same version or a newer one is already, nothing is to be done. What Elasticsearch can't take now is offered
again without end, what it will never take has a reason, and what is wrong for every document fails.
"""

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from elastic_transport import ConnectionError as NoConnectionError
from elastic_transport import TlsError, TransportError
from elasticsearch import ApiError

from connectors.elasticsearch.client import client, in_words
from connectors.elasticsearch.documents import Action
from connectors.settings import Settings

REQUEST_BYTES = 8_000_000
"""A request is no larger than this, unless one document is: far below what Elasticsearch takes (100 MB)."""
REQUEST_SECONDS = 60.0
"""After so long without an answer a request is sent again."""
SHARD_SECONDS = 30
"""So long Elasticsearch itself waits for a shard that is away."""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
REASON_LENGTH = 2000

_BLOCKED = "cluster_block_exception"
"""Not writable for now: the disk is full, no master is elected, or somebody has set an index to read-only."""
_ABOUT_THE_INDEX = ("index_not_found_exception", "index_closed_exception")
_NO_WRITE_INDEX = "no write index is defined for alias"

_log = logging.getLogger(__name__)


class IndexingError(RuntimeError):
    """No document can be written as things are; the text says why, and what to do."""


@dataclass
class Tally:
    """What became of actions."""

    written: int = 0
    unchanged: int = 0
    """There was the same version, or a newer one."""
    refused: int = 0
    retries: int = 0
    """How many times something was not taken and offered again."""


@dataclass(frozen=True)
class _Verdict:
    kind: Literal["written", "unchanged", "refused", "later"]
    reason: str = ""


class _UnusableRequestError(Exception):
    """It is too large, or one of its actions makes all of it unusable; the text says why."""


class BulkIndex:
    """Writes to aliases; never makes an index. For one thread at a time."""

    def __init__(self, settings: Settings, pause: Callable[[float], None] = time.sleep) -> None:
        """Connects when it writes first."""
        self.tally = Tally()
        self._settings = settings
        self._client = client(settings, REQUEST_SECONDS)
        self._once = self._client.options(max_retries=0)
        self._pause = pause

    def close(self) -> None:
        """Give up its connections."""
        self._client.close()

    def write(self, actions: Sequence[Action]) -> list[str | None]:
        """For each action the reason why it can't be done, or None once it is; however long that takes.

        Raises:
            IndexingError: what is wrong is wrong for every document.
        """
        lines = [action.lines() for action in actions]
        reasons: list[str | None] = [None] * len(actions)
        waiting = deque(_requests(lines))
        pauses = _pauses()
        while waiting:
            numbers = waiting.popleft()
            try:
                verdicts = self._request([lines[number] for number in numbers])
            except _UnusableRequestError as error:
                if len(numbers) > 1:
                    waiting.extendleft(_halves(numbers))
                    continue
                verdicts = [_Verdict("refused", str(error))]
            later = []
            for number, verdict in zip(numbers, verdicts, strict=True):
                self._count(verdict)
                if verdict.kind == "refused":
                    reasons[number] = verdict.reason
                elif verdict.kind == "later":
                    later.append((number, verdict.reason))
            if len(later) < len(numbers):
                pauses = _pauses()
            if later:
                self._wait(next(pauses), later[0][1], len(later))
                # By halves, down to one: what is too much at once may be taken bit by bit.
                waiting.extendleft(_halves([number for number, _ in later]))
        return reasons

    def _request(self, lines: Sequence[bytes]) -> list[_Verdict]:
        """A verdict for each.

        Raises:
            _UnusableRequestError: there is none, but there may be if the lines are sent in parts.
            IndexingError: as `write`.
        """
        try:
            answer = self._once.bulk(
                operations=b"".join(lines),  # type: ignore[arg-type]
                require_alias=True,
                timeout=f"{SHARD_SECONDS}s",
                filter_path=["errors", "items.*.status", "items.*.error"],
            )
        except ApiError as error:
            return [self._verdict_on_all(error)] * len(lines)
        except TransportError as error:
            if isinstance(error, NoConnectionError) and not isinstance(error, TlsError):
                return [_Verdict("later", str(error))] * len(lines)
            raise IndexingError(in_words(error, self._settings)) from error
        return [_verdict(item) for each in answer["items"] for item in each.values()]

    def _verdict_on_all(self, error: ApiError) -> _Verdict:
        """What an answer to the whole request says of each action; raises as `_request`."""
        told = error.body.get("error") if isinstance(error.body, dict) else None
        cause = told if isinstance(told, dict) else {"type": f"status {error.status_code}", "reason": str(error.body)}
        status = error.status_code
        if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
            raise _UnusableRequestError(_reason(cause))
        if not _is_for_now(status, cause):
            raise IndexingError(in_words(error, self._settings)) from error
        return _Verdict("later", _reason(cause))

    def _count(self, verdict: _Verdict) -> None:
        match verdict.kind:
            case "written":
                self.tally.written += 1
            case "unchanged":
                self.tally.unchanged += 1
            case "refused":
                self.tally.refused += 1

    def _wait(self, seconds: float, reason: str, documents: int) -> None:
        self.tally.retries += 1
        _log.warning("Elasticsearch can't take %d documents now; again in %.1f s: %s", documents, seconds, reason)
        self._pause(seconds)


def _verdict(item: Mapping[str, Any]) -> _Verdict:
    """On one action of an answer.

    Raises:
        IndexingError: it was not done, and not because of its document.
    """
    # A document that is to be deleted and isn't there is 404 without an error.
    if "error" not in item:
        return _Verdict("written")
    status, cause = item["status"], item["error"]
    reason = _reason(cause)
    if _is_for_now(status, cause):
        return _Verdict("later", reason)
    if status == HTTPStatus.CONFLICT:
        return _Verdict("unchanged")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise IndexingError(f"Elasticsearch doesn't allow this: {reason}; give us the right to write to its aliases")
    if cause.get("type") in _ABOUT_THE_INDEX or _NO_WRITE_INDEX in reason:
        raise IndexingError(f"there is nothing to write to: {reason}; run `python -m ops search apply`")
    return _Verdict("refused", reason)


def _is_for_now(status: int, cause: Mapping[str, Any]) -> bool:
    return cause.get("type") == _BLOCKED or status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500


def _reason(cause: Mapping[str, Any]) -> str:
    """An error and what caused it."""
    said = []
    step: Mapping[str, Any] | None = cause
    while isinstance(step, dict):
        said.append(f"{step.get('type')}: {step.get('reason')}")
        step = step.get("caused_by")
    return "; ".join(said)[:REASON_LENGTH]


def _requests(lines: Sequence[bytes]) -> Iterator[Sequence[int]]:
    """Which actions are sent together."""
    begin = size = 0
    for number, line in enumerate(lines):
        if size + len(line) > REQUEST_BYTES and number > begin:
            yield range(begin, number)
            begin, size = number, 0
        size += len(line)
    if begin < len(lines):
        yield range(begin, len(lines))


def _halves(numbers: Sequence[int]) -> list[Sequence[int]]:
    """The second one first, as `extendleft` turns them round; one that is empty is left out."""
    middle = (len(numbers) + 1) // 2
    return [half for half in (numbers[middle:], numbers[:middle]) if half]


def _pauses() -> Iterator[float]:
    """In seconds, ever longer, and never the same for all that wait."""
    longest = FIRST_PAUSE_SECONDS
    while True:
        yield longest * random.uniform(0.5, 1)
        longest = min(2 * longest, LONGEST_PAUSE_SECONDS)
