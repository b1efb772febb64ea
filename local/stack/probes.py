"""Probes of health checks: whether an address accepts connections, and whether a REST API answers."""

import socket
from typing import Any

import requests

from connectors import rest
from local.stack.service import UnhealthyError

CONNECTS_WITHIN_SECONDS = 1.0
ANSWERS_WITHIN_SECONDS = 3.0


def connect(address: str) -> None:
    """Open a connection to host:port and close it.

    Raises:
        UnhealthyError: nothing accepts it.
    """
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), CONNECTS_WITHIN_SECONDS).close()
    except OSError:
        raise UnhealthyError(f"doesn't accept connections on {address}") from None


def get_json(url: str) -> Any:
    """Return the JSON answer of a REST API.

    Raises:
        UnhealthyError: it doesn't answer, or not with what was requested.
    """
    try:
        response = rest.request("GET", url, timeout=(CONNECTS_WITHIN_SECONDS, ANSWERS_WITHIN_SECONDS))
        response.raise_for_status()
        return response.json()
    except requests.ConnectionError:
        raise UnhealthyError(f"doesn't accept connections: {url}") from None
    except requests.Timeout:
        raise UnhealthyError(
            f"accepts connections, but doesn't answer within {ANSWERS_WITHIN_SECONDS:.0f} s: {url}"
        ) from None
    except requests.RequestException as error:
        raise UnhealthyError(f"answers, but not as it should: {error}") from None
