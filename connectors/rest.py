"""Requests to REST APIs; those to this machine go there directly, whatever proxy the environment names."""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests


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


def is_on_this_machine(host: str) -> bool:
    """Return whether a host's name or address is that of the loopback interface; looks up no name."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
