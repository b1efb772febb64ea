"""Client of Kafka Connect's REST API, with explained errors."""

import time
from typing import Any

import requests

from connectors import rest
from connectors.settings import Settings

_TIMEOUTS_SECONDS = (3, 20)
"""Timeouts to connect, and to answer: a worker that has just joined answers some requests only once its group has
settled."""

WAIT_SECONDS = 60.0
"""Maximum time in which a worker starts, or its group rebalances, before a request fails."""
POLL_SECONDS = 0.5

_REPEATABLE = ("GET", "PUT", "DELETE")
"""Idempotent methods: they can be sent again even if the worker may have carried them out."""
_TIMED_OUT = "Request timed out"
"""Start of the message of an answer 500 when a worker, or the leader of its group, was busy for too long."""


class ConnectError(ConnectionError):
    """Kafka Connect doesn't answer, or refuses; the message gives the fault and the remedy."""


class _SilentError(ConnectError):
    """Kafka Connect has accepted a request, but doesn't answer it."""


def find(settings: Settings, path: str, wait_seconds: float | None = None) -> Any | None:
    """Return what is at a path, such as `connectors/shop/status`; None if it doesn't exist.

    Args:
        wait_seconds: maximum wait for a worker that starts or rebalances, `WAIT_SECONDS` by default.

    Raises:
        ConnectError: no answer, or an error.
    """
    response = _send(settings, "GET", path, wait_seconds=wait_seconds)
    return None if response.status_code == requests.codes.not_found else _content(response)


def ask(settings: Settings, method: str, path: str, body: Any = None) -> Any:
    """Send one request; return the decoded answer, or None if it is empty.

    Raises:
        ConnectError: no answer, or an error.
    """
    return _content(_send(settings, method, path, body))


def _send(
    settings: Settings, method: str, path: str, body: Any = None, *, wait_seconds: float | None = None
) -> requests.Response:
    """Send a request, and repeat it while the worker starts or rebalances; return the answer."""
    wait_seconds = WAIT_SECONDS if wait_seconds is None else wait_seconds
    deadline = time.monotonic() + wait_seconds
    while True:
        is_late = time.monotonic() >= deadline
        try:
            response = _send_once(settings, method, path, body)
        except _SilentError:
            if is_late or method not in _REPEATABLE:
                raise
        else:
            if not _is_busy(response, method):
                return response
            if is_late:
                raise ConnectError(
                    f"Kafka Connect has not been able to answer {method} {path} for {wait_seconds:.0f} s: "
                    f"{_reason(response)}; look at its log"
                )
        time.sleep(POLL_SECONDS)


def _is_busy(response: requests.Response, method: str) -> bool:
    """Return whether the same request can succeed soon: nothing was done, or the request is idempotent."""
    match response.status_code:
        case requests.codes.unavailable:
            return True
        case requests.codes.conflict:
            return "already exists" not in _reason(response)
        case requests.codes.server_error:
            return method in _REPEATABLE and _reason(response).startswith(_TIMED_OUT)
    return False


def _send_once(settings: Settings, method: str, path: str, body: Any = None) -> requests.Response:
    address = settings.connect_url.rstrip("/")
    try:
        return rest.request(method, f"{address}/{path}", json=body, timeout=_TIMEOUTS_SECONDS)
    except requests.ReadTimeout as error:
        raise _SilentError(
            f"Kafka Connect at {address} accepts connections, but doesn't answer {method} {path}: look at its log"
        ) from error
    except requests.RequestException as error:
        raise ConnectError(
            f"no Kafka Connect answers at {address}: start it (`make up`), or set MILLRACE_CONNECT_URL to where it is"
        ) from error


def _content(response: requests.Response) -> Any:
    if not response.ok:
        request = response.request
        raise ConnectError(f"Kafka Connect refuses {request.method} {request.path_url}: {_reason(response)}")
    return response.json() if response.content else None


def _reason(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])
    except (requests.JSONDecodeError, KeyError):
        return f"{response.status_code} {response.text[:300]}"
