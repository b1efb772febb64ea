"""The page's server answers only to read, only to names of this machine, and sends news as they come."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from jobs.flow import PROGRAMS
from ops.page.server import HEADERS
from ops.page.snapshot import Answers
from tests.builders.page import answers, page_snapshot
from tests.services.free_ports import free_port
from tests.services.page_server import page_at

SECONDS = 60


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The page of a deployment at noon."""
    with page_at(free_port(), page_snapshot) as address:
        yield address


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/nothing"])
def test_every_answer_has_the_headers_that_keep_a_browser_from_doing_more(url: str, path: str) -> None:
    found = requests.get(url + path, timeout=SECONDS)

    assert {name: found.headers.get(name) for name in HEADERS} == HEADERS
    assert "unsafe" not in found.headers["Content-Security-Policy"]
    assert "server" not in found.headers


def test_page_has_each_program_without_a_script(url: str) -> None:
    found = requests.get(url, timeout=SECONDS)

    assert found.headers["Content-Type"] == "text/html; charset=utf-8"
    assert all(program.name in found.text for program in PROGRAMS)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/events", "/nothing"])
def test_whatever_would_change_something_is_refused(url: str, method: str, path: str) -> None:
    found = requests.request(method, url + path, timeout=SECONDS)

    assert (found.status_code, found.headers["Allow"]) == (405, "GET, HEAD")


def test_head_has_no_content_and_does_not_wait_for_news(url: str) -> None:
    for path in ("/", "/events", "/page.js"):
        found = requests.head(url + path, timeout=SECONDS)
        assert (found.status_code, found.content) == (200, b"")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9465", "192.168.0.7:9465", "localhost.evil.example", "", "["]
)
def test_foreign_name_for_this_machine_is_refused(url: str, host: str) -> None:
    found = requests.get(url, headers={"Host": host}, timeout=SECONDS)

    assert found.status_code in {400, 421}
    assert "fraud_detection" not in found.text


@pytest.mark.parametrize("host", ["localhost", "localhost:9465", "127.0.0.1:9465", "[::1]:9465"])
def test_names_of_this_machine_are_answered(url: str, host: str) -> None:
    assert requests.get(url, headers={"Host": host}, timeout=SECONDS).status_code == 200


def test_page_for_other_machines_answers_to_any_name() -> None:
    with page_at(free_port(), page_snapshot, host="0.0.0.0") as url:
        assert requests.get(url, headers={"Host": "millrace.example"}, timeout=SECONDS).status_code == 200


def events(answer: requests.Response) -> Iterator[dict[str, Any]]:
    """Yield the parts of each event of a stream."""
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_stream_has_all_parts_first_and_then_what_has_changed() -> None:
    known = answers()

    def current() -> Answers:
        return known

    with (
        page_at(free_port(), lambda: page_snapshot(current())) as url,
        requests.get(f"{url}/events", stream=True, timeout=SECONDS) as answer,
    ):
        received = events(answer)
        first = next(received)
        unchanged = next(received)
        known = answers([])
        renewed = next(each for each in received if each)

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert {"summary", "picture", "alerts", "rules", "program-fraud_detection"} <= first.keys()
    assert unchanged == {}
    assert {"summary", "picture", "program-warehouse"} <= renewed.keys()
    assert "alerts" not in renewed
    assert [each[2][-1] for each in renewed["summary"][2]] == ["0 fail", "0 unknown", "0 warn", "0 ok"]


def test_two_readers_get_the_same_news() -> None:
    with page_at(free_port(), page_snapshot) as url:
        streams = [requests.get(f"{url}/events", stream=True, timeout=SECONDS) for _ in range(2)]
        first = [next(events(stream)) for stream in streams]
        for stream in streams:
            stream.close()

    assert first[0] == first[1]
