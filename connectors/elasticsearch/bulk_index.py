"""Writes documents to Elasticsearch in bulk requests, with a result for each document.

A document is unchanged if the index has the same or a newer version. What Elasticsearch can't take now is retried
without end, what it will never take gets a reason, and an error that concerns every document raises.
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
"""Maximum size of a request, unless one document is larger: far below Elasticsearch's limit (100 MB)."""
REQUEST_SECONDS = 60.0
"""Timeout for an answer; after it, the request is sent again."""
SHARD_SECONDS = 30
"""How long Elasticsearch itself waits for an unavailable shard."""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
REASON_LENGTH = 2000

_BLOCKED = "cluster_block_exception"
"""Temporarily not writable: the disk is full, no master is elected, or an index was set to read-only."""
_ABOUT_THE_INDEX = ("index_not_found_exception", "index_closed_exception")
_NO_WRITE_INDEX = "no write index is defined for alias"

_log = logging.getLogger(__name__)


class IndexingError(RuntimeError):
    """No document can be written in the current state; the text says why, and what to do."""


@dataclass
class Tally:
    """Number of actions by outcome."""

    written: int = 0
    unchanged: int = 0
    """Actions for which the index had the same version, or a newer one."""
    refused: int = 0
    retries: int = 0
    """Number of times that something was not taken and offered again."""


@dataclass(frozen=True)
class _Verdict:
    kind: Literal["written", "unchanged", "refused", "later"]
    reason: str = ""


class _UnusableRequestError(Exception):
    """The request is too large, or one of its actions makes all of it unusable; the text gives the reason."""


class BulkIndex:
    """Writes to aliases; never creates an index. For one thread at a time."""

    def __init__(self, settings: Settings, pause: Callable[[float], None] = time.sleep) -> None:
        """Create the client; it connects at the first write."""
        self.tally = Tally()
        self._settings = settings
        self._client = client(settings, REQUEST_SECONDS)
        self._once = self._client.options(max_retries=0)
        self._pause = pause

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def write(self, actions: Sequence[Action]) -> list[str | None]:
        """Carry out the actions, for as long as it takes; return for each the reason why it is impossible, or None.

        Raises:
            IndexingError: an error that concerns every document.
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
                # Retry in halves, down to one action: Elasticsearch may accept in parts what is too much at once.
                waiting.extendleft(_halves([number for number, _ in later]))
        return reasons

    def _request(self, lines: Sequence[bytes]) -> list[_Verdict]:
        """Return a result for each line.

        Raises:
            _UnusableRequestError: no result, but parts of the lines may get one.
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
        """Interpret an answer to the whole request as a result for each action; raises as `_request`."""
        body = error.body.get("error") if isinstance(error.body, dict) else None
        cause = body if isinstance(body, dict) else {"type": f"status {error.status_code}", "reason": str(error.body)}
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
    """Interpret the answer to one action.

    Raises:
        IndexingError: it was not carried out, and not because of its document.
    """
    # Deleting a document that doesn't exist is 404 without an error.
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
    """Return an error with its causes."""
    reasons = []
    step: Mapping[str, Any] | None = cause
    while isinstance(step, dict):
        reasons.append(f"{step.get('type')}: {step.get('reason')}")
        step = step.get("caused_by")
    return "; ".join(reasons)[:REASON_LENGTH]


def _requests(lines: Sequence[bytes]) -> Iterator[Sequence[int]]:
    """Yield the positions of the actions that are sent together."""
    begin = size = 0
    for number, line in enumerate(lines):
        if size + len(line) > REQUEST_BYTES and number > begin:
            yield range(begin, number)
            begin, size = number, 0
        size += len(line)
    if begin < len(lines):
        yield range(begin, len(lines))


def _halves(numbers: Sequence[int]) -> list[Sequence[int]]:
    """Return the halves, the second one first, as `extendleft` reverses them; leave out an empty one."""
    middle = (len(numbers) + 1) // 2
    return [half for half in (numbers[middle:], numbers[:middle]) if half]


def _pauses() -> Iterator[float]:
    """Yield pauses in seconds, increasing up to a limit, with a random part so that clients don't retry together."""
    longest = FIRST_PAUSE_SECONDS
    while True:
        yield longest * random.uniform(0.5, 1)
        longest = min(2 * longest, LONGEST_PAUSE_SECONDS)
