"""Client of a Flink cluster's REST API, with explained errors."""

from typing import Any

import requests

from connectors import rest
from connectors.settings import Settings

_TIMEOUT_SECONDS = 15


class FlinkError(RuntimeError):
    """The cluster doesn't answer, or refuses; the message gives the fault and the remedy."""


class FlinkUnavailableError(FlinkError):
    """The cluster doesn't answer, or has no leading JobManager; a retry may succeed."""


def ask(settings: Settings, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Send one request; return the decoded answer.

    Args:
        path: relative to the REST API's address, e.g. `jobs/overview`.

    Raises:
        FlinkUnavailableError: no answer.
        FlinkError: an error.
    """
    address = settings.flink_rest_url.rstrip("/")
    try:
        answer = rest.request(method, f"{address}/{path}", json=body, timeout=_TIMEOUT_SECONDS)
        content = answer.json() if answer.content else {}
    except requests.RequestException as error:
        raise FlinkUnavailableError(
            f"no Flink cluster answers at {address}: start it (`make up`), "
            "or set MILLRACE_FLINK_REST_URL to where it is"
        ) from error
    if not answer.ok:
        kind = FlinkUnavailableError if answer.status_code == requests.codes.unavailable else FlinkError
        raise kind(f"Flink refuses {method} {path}: {_first_error(content)}")
    return content


def _first_error(content: Any) -> str:
    errors = content.get("errors") or ["no reason given"]
    return str(next((line for line in errors if line), errors[0])).splitlines()[0]
