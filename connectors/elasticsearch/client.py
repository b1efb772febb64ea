"""Creates the Elasticsearch client, and explains its errors."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from elastic_transport import ConnectionError as NoConnectionError
from elastic_transport import ConnectionTimeout, TlsError, TransportError
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError

from connectors.settings import Settings, SettingsError, variable

REQUEST_SECONDS = 30.0
"""Timeout for an answer, unless a request has its own."""

_URL = variable("elasticsearch_url")
_USER = variable("elasticsearch_user")
_PASSWORD = variable("elasticsearch_password")
_API_KEY = variable("elasticsearch_api_key")
_CA_FILE = variable("elasticsearch_ca_file")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class ElasticsearchError(RuntimeError):
    """Elasticsearch can't be reached, or doesn't do what it was asked; the text says what, where and what to do
    next."""


def client(settings: Settings, request_seconds: float = REQUEST_SECONDS) -> Elasticsearch:
    """Create a client for all nodes of the settings; it connects with the first request.

    Raises:
        SettingsError: two ways to log in are set, or half of one; the authority's file can't be read.
    """
    urls = [_with_port(url) for url in settings.elasticsearch_url.split(",")]
    options: dict[str, Any] = {}
    if any(url.startswith("https:") for url in urls):
        options["ssl_context"] = _trust(settings)
    return Elasticsearch(urls, request_timeout=request_seconds, **_credentials(settings), **options)


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Wrap requests, and explain their errors.

    Raises:
        ElasticsearchError: a request failed.
    """
    try:
        yield
    except (ApiError, TransportError) as error:
        raise ElasticsearchError(in_words(error, settings)) from error


def in_words(error: ApiError | TransportError, settings: Settings) -> str:
    """Explain a failed request to the operator, in terms of the settings."""
    return _answered(error, settings) if isinstance(error, ApiError) else _unanswered(error, settings)


def _answered(error: ApiError, settings: Settings) -> str:
    where = f"Elasticsearch at {settings.elasticsearch_url}"
    if isinstance(error, UnsupportedProductError):
        return f"what answers at {settings.elasticsearch_url} is no Elasticsearch: set {_URL} to where it is"
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        return f"{where} {_unauthorized(settings)}"
    # An index that is temporarily closed to writing is 403 as well.
    if error.status_code == HTTPStatus.FORBIDDEN and "cluster_block_exception" not in str(error.body):
        return (
            f"{where} knows {_user(settings)}, but doesn't allow this: {_reason(error)}. Give it the right, "
            f"or log in as another user with {_USER} and {_PASSWORD}, or {_API_KEY}"
        )
    return f"{where} answers {error.status_code}: {_reason(error)}"


def _unanswered(error: TransportError, settings: Settings) -> str:
    where, message = settings.elasticsearch_url, str(error).partition("\n")[0]
    match error:
        case TlsError():
            return _untrusted(message, settings)
        case ConnectionTimeout():
            return f"Elasticsearch at {where} doesn't answer in time: see whether it is well, and try again ({message})"
        case NoConnectionError():
            return (
                f"no Elasticsearch answers at {where}: start it (`make up`), or set {_URL} to where it is ({message})"
            )
    return f"Elasticsearch at {where} can't be understood: {message}"


def _with_port(url: str) -> str:
    """Return the URL with a port, which the client requires."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.hostname}:{parts.port or _DEFAULT_PORTS[parts.scheme]}").geturl()


def _credentials(settings: Settings) -> dict[str, Any]:
    user, password, key = (
        settings.elasticsearch_user,
        settings.elasticsearch_password,
        settings.elasticsearch_api_key,
    )
    if key and (user or password):
        raise SettingsError(f"{_API_KEY} and {_USER} or {_PASSWORD} are set, two ways to log in: unset one of them")
    if bool(user) != bool(password):
        missing = _PASSWORD if user else _USER
        raise SettingsError(f"{missing} is not set: Elasticsearch wants both, or {_API_KEY} instead, or none of them")
    if key:
        return {"api_key": key}
    return {"basic_auth": (user, password)} if user else {}


def _trust(settings: Settings) -> ssl.SSLContext:
    file = settings.elasticsearch_ca_file or None
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:  # includes SSLError: the file has no certificate
        raise SettingsError(
            f"{_CA_FILE}={file} can't be used: {error.strerror or error}; it must be a PEM file with the certificate "
            "of the authority that signed Elasticsearch's"
        ) from error


def _unauthorized(settings: Settings) -> str:
    if settings.elasticsearch_api_key:
        return f"doesn't take the API key: set {_API_KEY} to one that is valid (its `encoded` form), or unset it"
    if settings.elasticsearch_user:
        user = settings.elasticsearch_user
        return f"doesn't take user {user!r} with this password: set {_USER} and {_PASSWORD} to those that it knows"
    return f"requires a login: set {_USER} and {_PASSWORD}, or {_API_KEY}"


def _user(settings: Settings) -> str:
    if settings.elasticsearch_api_key:
        return "the API key"
    return f"user {settings.elasticsearch_user!r}" if settings.elasticsearch_user else "everybody"


def _untrusted(message: str, settings: Settings) -> str:
    where = settings.elasticsearch_url
    if "mismatch" in message:
        return (
            f"the certificate of Elasticsearch at {where} is of another name: set {_URL} to a name that is in the "
            f"certificate ({message})"
        )
    if "CERTIFICATE_VERIFY_FAILED" in message:
        by = settings.elasticsearch_ca_file or "the authorities that Python knows"
        return (
            f"the certificate of Elasticsearch at {where} isn't trusted by {by}: set {_CA_FILE} to a PEM file of the "
            f"authority that signed it ({message})"
        )
    return f"Elasticsearch at {where} doesn't speak TLS as it should: should {_URL} begin with http://? ({message})"


def _reason(error: ApiError) -> str:
    answer = error.body.get("error") if isinstance(error.body, dict) else error.body
    if isinstance(answer, dict):
        causes = answer.get("root_cause") or [answer]
        return "; ".join(f"{each.get('type')}: {each.get('reason')}" for each in causes)
    return str(answer)[:500] or "no reason is given"
