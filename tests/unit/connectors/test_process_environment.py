"""Variables of the caller's environment for other programs do not affect ours."""

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import pytest

from connectors.elasticsearch.client import client
from connectors.kafka.registry import SchemaRegistry
from connectors.process_environment import POSTGRES, child_environment, forget_ignored, ignored
from connectors.settings import Settings, is_on_this_machine
from local.stack.probes import get_json
from ops.capture import connect_rest
from ops.jobs import flink_rest
from tests.services.http_server import ANY_PORT, serving
from toolchain.download import Download, sha256

CALLER = {
    "PATH": "/bin",
    "HOME": "/root",
    "LD_PRELOAD": "/lib/faster.so",
    "HTTP_PROXY": "http://proxy:3128",
    "PGSSLROOTCERT": "/etc/ca.pem",
    "MILLRACE_JAVA_HOME": "/java",
    "PYTHONUTF8": "1",
    "PYTHONPATH": "/opt/spark/python",
    "PYTHONINSPECT": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "JAVA_HOME": "/usr/lib/jvm/java-8",
    "JAVA_TOOL_OPTIONS": "-javaagent:/agent.jar",
    "FLINK_CONF_DIR": "/etc/flink",
    "KAFKA_OPTS": "-Djava.security.auth.login.config=/jaas.conf",
    "PGHOSTADDR": "192.0.2.1",
}
NO_PROXY_THERE = "http://127.0.0.1:9"
"""Nothing listens on the discard port."""


class _Server(ThreadingHTTPServer):
    """Answers every request with the same JSON, and records the requests."""

    def __init__(self) -> None:
        super().__init__(ANY_PORT, _Handler)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        self.server.asked.append(self.path)
        body = b"{}"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep silent."""


@pytest.fixture
def server() -> Iterator[_Server]:
    server = _Server()
    with serving(server):
        yield server


@pytest.fixture
def behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller all of whose requests go to a proxy, which doesn't answer."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, NO_PROXY_THERE)
        monkeypatch.setenv(name.lower(), NO_PROXY_THERE)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)


def test_child_inherits_only_variables_that_do_not_change_it() -> None:
    with mock.patch.dict(os.environ, CALLER, clear=True):
        child = child_environment({"NO_COLOR": "1"})

    kept = ("PATH", "HOME", "LD_PRELOAD", "HTTP_PROXY", "PGSSLROOTCERT", "MILLRACE_JAVA_HOME", "PYTHONUTF8")
    assert child == {name: CALLER[name] for name in kept} | {"NO_COLOR": "1"}
    assert ignored(CALLER) == sorted(CALLER.keys() - set(kept))


def test_process_drops_variables_that_libraries_read() -> None:
    with mock.patch.dict(os.environ, CALLER, clear=True):
        forget_ignored(POSTGRES)

        assert os.environ.keys() == CALLER.keys() - {"PGHOSTADDR"}


@pytest.mark.usefixtures("behind_a_proxy")
def test_every_client_asks_this_machine_directly(server: _Server) -> None:
    settings = Settings(flink_rest_url=server.url, connect_url=server.url, elasticsearch_url=server.url)

    flink_rest.ask(settings, "GET", "flink")
    connect_rest.ask(settings, "GET", "connect")
    get_json(f"{server.url}/probe")
    with pytest.raises(KeyError):  # the answer has no rule
        SchemaRegistry(server.url).rule("registry")
    with client(settings) as elasticsearch:
        elasticsearch.cluster.health()

    assert server.asked == ["/flink", "/connect", "/probe", "/config/registry", "/_cluster/health"]


def test_download_goes_through_the_proxy(server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    (tmp_path / "expected").write_bytes(b"{}")
    url = "http://repository.example/some.jar"

    Download(url, tmp_path / "some.jar", sha256(tmp_path / "expected"), size=2).run(lambda _: None)

    assert server.asked == [url]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost", "shop.localhost"])
def test_loopback_is_on_this_machine(host: str) -> None:
    assert is_on_this_machine(host)


@pytest.mark.parametrize("host", ["192.168.0.1", "localhost.example", "kafka", "127.example", ""])
def test_other_hosts_are_not(host: str) -> None:
    assert not is_on_this_machine(host)
