"""The page's server: HTML, its script and style, and a stream of news. It reads what the watcher knows, and asks
nothing.

Every client that reaches it can read it, and none can change anything through it.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.settings import is_on_this_machine
from ops.page.elements import data, html
from ops.page.flow_drawing import stylesheet
from ops.page.flow_layout import Layout
from ops.page.snapshot import Snapshot
from ops.page.views import document, parts

FOLDER = Path(__file__).parent
MOST_CONNECTIONS = 100
"""Number of connections at which further ones are refused."""
END_SECONDS = 1
"""Time that open streams have at the end."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every answer: nothing but the page's own script and style is run or loaded, and nothing is kept."""


@dataclass
class News:
    """The page's parts as they are now, for all who wait for news."""

    every: float
    """Time between two looks at what is known, in seconds."""
    snapshot: Callable[[], Snapshot]
    layout: Layout
    _parts: Mapping[str, str] = field(default_factory=dict)
    """JSON of each part, by id."""
    _renewed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _readers: int = 0

    async def renew_for_ever(self) -> None:
        """Renew all parts again and again while somebody waits for them."""
        while True:
            await asyncio.sleep(self.every)
            if self._readers:
                await self.renew()

    async def renew(self) -> None:
        """Renew all parts once."""
        found = parts(self.snapshot(), self.layout)
        async with self._renewed:
            self._parts = {id_: json.dumps(data(each), ensure_ascii=False) for id_, each in found.items()}
            self._renewed.notify_all()

    async def changes(self) -> AsyncIterator[str]:
        """Yield all parts, then those that have changed whenever they were renewed, as server-sent events.

        What hasn't changed isn't sent, but an event comes each time: a browser sees by it that the server is there.
        """
        sent: Mapping[str, str] = {}
        self._readers += 1
        try:
            await self.renew()
            while True:
                async with self._renewed:
                    if self._parts is sent:
                        await self._renewed.wait()
                    now = self._parts
                changed = ",".join(f"{json.dumps(id_)}:{text}" for id_, text in now.items() if sent.get(id_) != text)
                sent = now
                yield f"event: page\ndata: {{{changed}}}\n\n"
        finally:
            self._readers -= 1


def application(news: News, host: str) -> ASGIApp:
    """Return the page as an application.

    Args:
        host: where it listens; at an address of this machine it answers only to names of this machine.
    """
    style = stylesheet() + (FOLDER / "page.css").read_text("utf-8")
    script = (FOLDER / "page.js").read_text("utf-8")

    async def page(_: Request) -> Response:
        text = f"<!doctype html>{html(document(news.snapshot(), news.layout, news.every))}"
        return Response(text, media_type="text/html")

    async def events(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return StreamingResponse(news.changes(), media_type="text/event-stream")

    async def script_file(_: Request) -> Response:
        return Response(script, media_type="text/javascript")

    async def style_file(_: Request) -> Response:
        return Response(style, media_type="text/css")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        renewing = asyncio.create_task(news.renew_for_ever())
        yield
        renewing.cancel()

    routes = [
        Route("/", page),
        Route("/events", events),
        Route("/page.js", script_file),
        Route("/page.css", style_file),
    ]
    return Guard(Starlette(routes=routes, lifespan=lifespan), only_this_machine=is_on_this_machine(host))


@dataclass(frozen=True)
class Guard:
    """Refuses requests that would change something, or that a foreign page makes under a name of its own for this
    machine; adds `HEADERS` to every answer."""

    inside: ASGIApp
    only_this_machine: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.inside(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    *((name.lower().encode(), value.encode()) for name, value in HEADERS.items()),
                ]
            await send(message)

        await (self._refusal(scope) or self.inside)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]] | None:
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("this page can only be read\n", 405, {"Allow": "GET, HEAD"})
        host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        if self.only_this_machine and not _names_this_machine(host):
            return PlainTextResponse("this page answers to names of this machine only, such as localhost\n", 421)
        return None


def _names_this_machine(host: str) -> bool:
    try:
        return is_on_this_machine(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        OSError: nothing can listen there.
    """
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def serve(news: News, host: str, listening: socket.socket) -> None:
    """Serve the page until SIGINT or SIGTERM.

    Args:
        host: that of the address, as it was asked for.

    Raises:
        KeyboardInterrupt: the signal came.
    """
    server(news, host).run(sockets=[listening])


def server(news: News, host: str) -> uvicorn.Server:
    """Return the server of a page."""
    config = uvicorn.Config(
        application(news, host),
        log_level="critical",
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=END_SECONDS,
        ws="none",
    )
    return uvicorn.Server(config)
