"""The client by the settings, over real connections; and its error messages."""

import base64
import socket
from pathlib import Path

import pytest

from connectors.elasticsearch.client import ElasticsearchError, client, explained
from connectors.settings import Settings, SettingsError
from tests.unit.connectors.guarded_elasticsearch import AUTHORITY, GuardedElasticsearch, serve

BASIC = f"Basic {base64.b64encode(b'ann:secret').decode()}"


def health(settings: Settings) -> str:
    """Return the answer to a request, made as a command makes it."""
    with explained(settings), client(settings, request_seconds=5) as elasticsearch:
        return str(elasticsearch.cluster.health()["status"])


def complaint(settings: Settings) -> str:
    with pytest.raises(ElasticsearchError) as raised:
        health(settings)
    return str(raised.value)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def test_user_and_password_are_accepted() -> None:
    with serve(GuardedElasticsearch(authorization=BASIC)) as guarded:
        settings = Settings(elasticsearch_url=guarded.url, elasticsearch_user="ann", elasticsearch_password="secret")

        assert health(settings) == "green"


def test_api_key_is_accepted() -> None:
    with serve(GuardedElasticsearch(authorization="ApiKey a2V5")) as guarded:
        assert health(Settings(elasticsearch_url=guarded.url, elasticsearch_api_key="a2V5")) == "green"


def test_another_node_answers_under_its_path_if_one_is_unavailable() -> None:
    with serve(GuardedElasticsearch()) as guarded:
        urls = f"http://127.0.0.1:{closed_port()},{guarded.url}/search/"

        assert health(Settings(elasticsearch_url=urls)) == "green"
        assert guarded.asked == ["/search/_cluster/health"]


def test_certificate_of_the_configured_authority_is_trusted() -> None:
    with serve(GuardedElasticsearch(authorization=BASIC), tls=True) as guarded:
        settings = Settings(
            elasticsearch_url=guarded.url,
            elasticsearch_user="ann",
            elasticsearch_password="secret",
            elasticsearch_ca_file=str(AUTHORITY),
        )

        assert health(settings) == "green"


def test_untrusted_certificate_is_refused_and_the_variable_is_named() -> None:
    with serve(GuardedElasticsearch(), tls=True) as guarded:
        text = complaint(Settings(elasticsearch_url=guarded.url))

    assert f"{guarded.url} isn't trusted by the authorities that Python knows" in text
    assert "set MILLRACE_ELASTICSEARCH_CA_FILE" in text
    assert guarded.asked == []


def test_certificate_of_another_name_is_refused() -> None:
    with serve(GuardedElasticsearch(), tls=True) as guarded:
        url = guarded.url.replace("127.0.0.1", "localhost")
        text = complaint(Settings(elasticsearch_url=url, elasticsearch_ca_file=str(AUTHORITY)))

    assert "is of another name: set MILLRACE_ELASTICSEARCH_URL to a name that is in the certificate" in text


def test_node_without_tls_at_an_https_address_is_reported() -> None:
    with serve(GuardedElasticsearch()) as guarded:
        url = guarded.url.replace("http:", "https:")
        text = complaint(Settings(elasticsearch_url=url))

    assert "doesn't speak TLS as it should" in text


def test_address_without_a_server_is_reported_with_the_remedy() -> None:
    url = f"http://127.0.0.1:{closed_port()}"

    text = complaint(Settings(elasticsearch_url=url))

    assert text.startswith(
        f"no Elasticsearch answers at {url}: start it (`make up`), or set MILLRACE_ELASTICSEARCH_URL"
    )


@pytest.mark.parametrize(
    ("login", "expected_text"),
    [
        ({}, "requires a login: set MILLRACE_ELASTICSEARCH_USER and MILLRACE_ELASTICSEARCH_PASSWORD, or"),
        (
            {"elasticsearch_user": "ann", "elasticsearch_password": "wrong"},
            "doesn't take user 'ann' with this password: set MILLRACE_ELASTICSEARCH_USER",
        ),
        ({"elasticsearch_api_key": "d3Jvbmc="}, "doesn't take the API key: set MILLRACE_ELASTICSEARCH_API_KEY"),
    ],
    ids=["no login", "wrong password", "wrong key"],
)
def test_refused_login_names_the_variable_and_no_secret(login: dict[str, str], expected_text: str) -> None:
    with serve(GuardedElasticsearch(authorization=BASIC)) as guarded:
        complained = complaint(Settings(elasticsearch_url=guarded.url, **login))

    assert expected_text in complained
    assert "wrong" not in complained
    assert "d3Jvbmc=" not in complained


def test_missing_permission_is_reported_with_the_action() -> None:
    reason = "action [cluster:monitor/health] is unauthorized for user [ann]"
    forbidden = {"error": {"root_cause": [{"type": "security_exception", "reason": reason}]}}
    with serve(GuardedElasticsearch(status=403, body=forbidden)) as guarded:
        text = complaint(
            Settings(elasticsearch_url=guarded.url, elasticsearch_user="ann", elasticsearch_password="secret")
        )

    assert f"knows user 'ann', but doesn't allow this: security_exception: {reason}" in text


def test_other_server_at_the_address_is_reported() -> None:
    with serve(GuardedElasticsearch(product="")) as guarded:
        text = complaint(Settings(elasticsearch_url=guarded.url))

    assert text == (f"what answers at {guarded.url} is no Elasticsearch: set MILLRACE_ELASTICSEARCH_URL to where it is")


@pytest.mark.parametrize(
    ("login", "expected_text"),
    [
        ({"elasticsearch_user": "ann"}, "MILLRACE_ELASTICSEARCH_PASSWORD is not set"),
        ({"elasticsearch_password": "secret"}, "MILLRACE_ELASTICSEARCH_USER is not set"),
        ({"elasticsearch_user": "ann", "elasticsearch_password": "secret", "elasticsearch_api_key": "k"}, "two ways"),
    ],
    ids=["no password", "no user", "both"],
)
def test_half_a_login_or_two_logins_are_refused_before_any_request(login: dict[str, str], expected_text: str) -> None:
    with pytest.raises(SettingsError, match=expected_text):
        client(Settings(**login))


@pytest.mark.parametrize("text", [None, "no certificate"], ids=["missing", "empty"])
def test_unreadable_authority_file_is_reported_by_its_variable(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "authority.pem"
    if text:
        file.write_text(text)

    with pytest.raises(SettingsError, match=f"MILLRACE_ELASTICSEARCH_CA_FILE={file} can't be used: "):
        client(Settings(elasticsearch_url="https://127.0.0.1:9200", elasticsearch_ca_file=str(file)))
