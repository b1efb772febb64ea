"""A server on loopback that answers bulk requests as Elasticsearch does, with external versions and bad moods."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.services.http_server import ANY_PORT, serving

Json = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """An action of a bulk request."""

    verb: str
    place: Json
    """First line of the action: index, id, version."""
    document: Any

    @property
    def id(self) -> str:
        """Return the document's id."""
        return str(self.place["_id"])


@dataclass(frozen=True)
class Answer:
    """Answer to a whole request; without a status, the connection breaks instead."""

    status: int | None
    body: bytes = b""

    @classmethod
    def error(cls, status: int, kind: str, reason: str) -> Self:
        """Return the answer of Elasticsearch that reports this error."""
        return cls(status, json.dumps({"error": error(kind, reason), "status": status}).encode())


def error(kind: str, reason: str, **more: Any) -> Json:
    """Return an error in the form of Elasticsearch's answers."""
    return {"type": kind, "reason": reason, **more}


@dataclass
class MoodyElasticsearch:
    """An Elasticsearch in memory that keeps documents, notes its requests, and fails where a test wants it."""

    documents: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    """Version and document by index and id; a deleted one is None."""
    requests: list[list[Sent]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    moods: list[Answer] = field(default_factory=list)
    """Answers to the next requests."""
    answers_lost: int = 0
    """Number of next requests that are carried out, and whose connection breaks before the answer."""
    refuses: Callable[[list[Sent], int], Answer | None] = lambda *_: None
    """An answer to a whole request, by its actions and size."""
    objects: Callable[[Sent], tuple[int, Json] | None] = lambda _: None
    """Status and error of an action that is not done."""
    product: str = "Elasticsearch"
    url: str = ""

    def ids(self) -> list[list[str]]:
        """Return the document ids of each request."""
        return [[sent.id for sent in request] for request in self.requests]

    def take(self, path: str, body: bytes) -> Answer:
        """Answer a bulk request."""
        actions = list(_parsed(body))
        self.requests.append(actions)
        self.paths.append(path)
        if self.moods:
            return self.moods.pop(0)
        if answer := self.refuses(actions, len(body)):
            return answer
        items = [{sent.verb: self._do(sent)} for sent in actions]
        if self.answers_lost:
            self.answers_lost -= 1
            return Answer(None)
        failed = any("error" in item for each in items for item in each.values())
        return Answer(200, json.dumps({"errors": failed, "items": items}).encode())

    def _do(self, sent: Sent) -> Json:
        if objection := self.objects(sent):
            return {"status": objection[0], "error": objection[1]}
        key = (sent.place["_index"], sent.id)
        version, before = self.documents.get(key, (0, None))
        if sent.place["version"] <= version:
            conflict = f"current version [{version}] is higher or equal to the one provided"
            return {"status": 409, "error": error("version_conflict_engine_exception", conflict)}
        self.documents[key] = (sent.place["version"], sent.document)
        return {"status": 404 if sent.verb == "delete" and before is None else 200}


@contextmanager
def serve(elasticsearch: MoodyElasticsearch) -> Iterator[MoodyElasticsearch]:
    """Serve on a free port while the block runs."""
    with serving(ThreadingHTTPServer(ANY_PORT, partial(_Handler, elasticsearch))) as address:
        elasticsearch.url = f"http://{address}"
        yield elasticsearch


def _parsed(body: bytes) -> Iterator[Sent]:
    assert body.endswith(b"\n")
    lines = iter(body[:-1].split(b"\n"))
    for line in lines:
        [(verb, place)] = json.loads(line).items()
        yield Sent(verb, place, None if verb == "delete" else json.loads(next(lines)))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    """Head and body go out together, or the second waits until the client has acknowledged the first."""

    def __init__(self, elasticsearch: MoodyElasticsearch, *connection: Any) -> None:
        self._elasticsearch = elasticsearch
        super().__init__(*connection)

    def do_PUT(self) -> None:
        answer = self._elasticsearch.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
        if answer.status is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("X-Elastic-Product", self._elasticsearch.product)
        json_or_not = "application/vnd.elasticsearch+json" if answer.body.startswith(b"{") else "text/html"
        self.send_header("Content-Type", json_or_not)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *_args: object) -> None:
        """Log nothing."""
