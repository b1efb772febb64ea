"""Requests to REST APIs; those to this machine go there directly, whatever proxy the environment names."""

from typing import Any
from urllib.parse import urlsplit

import requests

from connectors.settings import is_on_this_machine


def request(method: str, url: str, **options: Any) -> requests.Response:
    """Send one request, as `requests.request` does.

    Raises:
        requests.RequestException: there is no answer.
    """
    with session(url) as chosen:
        return chosen.request(method, url, **options)


def session(url: str) -> requests.Session:
    """Make a session for requests to the host of a URL."""
    made = requests.Session()
    made.trust_env = not is_on_this_machine(urlsplit(url).hostname or "")
    return made
