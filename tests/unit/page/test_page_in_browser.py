"""The page in a real browser: wide and narrow, light and dark, by keyboard, by axe's rules, and without its server."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.outage import report_on_stderr
from ops.page.snapshot import Answers
from ops.page.views import anchor
from tests.builders.page import CARD_AS_SHOWN, answers, page_snapshot
from tests.services.browser import Tab, tab_of
from tests.services.free_ports import free_port
from tests.services.page_server import page_at
from toolchain.browser import Browser, BrowserError, browser

SCREENS = [(width, dark) for width in (1280, 390) for dark in (False, True)]
FAULTS = "axe.run({resultTypes: ['violations']}).then(found => found.violations.map(each => [each.impact, each.id, \
each.nodes.map(node => node.html.slice(0, 200))]))"
"""What axe finds, with the places."""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FRAUD_PANEL = f"document.getElementById('{anchor('fraud_detection')}')"


@pytest.fixture(scope="module")
def chromium() -> Browser:
    """The browser, fetched if it isn't in the cache."""
    try:
        return browser(report_on_stderr)
    except BrowserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def tab(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A tab of one browser for all tests."""
    with tab_of(chromium, tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The page of a deployment at noon."""
    with page_at(free_port(), page_snapshot) as address:
        yield address


def serious(tab: Tab, chromium: Browser) -> list[object]:
    """Return what axe finds that is serious or critical."""
    tab.run(chromium.axe.read_text("utf-8") + ";true")
    return [fault for fault in tab.run(FAULTS) if fault[0] in {"serious", "critical"}]


def keep_picture(tab: Tab, name: str) -> None:
    """Write a picture of the tab into the folder of `PAGE_PICTURES`, if that is set, for a developer to look at."""
    if folder := os.environ.get("PAGE_PICTURES"):
        (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(tab.picture()))


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_page_fits_the_screen_and_axe_finds_nothing_serious(
    tab: Tab, chromium: Browser, url: str, width: int, dark: bool
) -> None:
    tab.look_at(url, width=width, dark=dark)
    keep_picture(tab, f"page-{width}-{'dark' if dark else 'light'}")

    assert tab.run(OVERFLOW) <= 0
    assert serious(tab, chromium) == []


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_open_box_fits_the_screen_and_axe_finds_nothing_serious(
    tab: Tab, chromium: Browser, url: str, width: int, dark: bool
) -> None:
    tab.look_at(url, width=width, dark=dark)

    tab.run(f"{FRAUD_PANEL}.showModal()")
    keep_picture(tab, f"box-{width}-{'dark' if dark else 'light'}")

    assert tab.run(OVERFLOW) <= 0
    assert tab.run(f"{FRAUD_PANEL}.scrollWidth - {FRAUD_PANEL}.clientWidth") <= 0
    assert serious(tab, chromium) == []


@pytest.mark.parametrize(("width", "shown", "hidden"), [(1280, "#picture", ".of-program"), (390, "#boxes", "#picture")])
def test_a_wide_screen_shows_the_picture_and_a_narrow_one_the_list(
    tab: Tab, url: str, width: int, shown: str, hidden: str
) -> None:
    tab.look_at(url, width=width)

    assert tab.run(f"document.querySelector('{shown}').checkVisibility()")
    assert not tab.run(f"document.querySelector('{hidden}').checkVisibility()")


@pytest.mark.parametrize("width", [1280, 390])
def test_keyboard_opens_a_box_and_closes_it_where_it_was(tab: Tab, url: str, width: int) -> None:
    tab.look_at(url, width=width)
    focused = "document.activeElement.getAttribute('href')"
    for _ in range(30):
        tab.press("Tab")
        if tab.run(focused) == f"#{anchor('fraud_detection')}":
            break

    tab.press("Enter")
    tab.wait_for(f"{FRAUD_PANEL}.open")
    shown = tab.run(f"{FRAUD_PANEL}.textContent")
    tab.press("Escape")
    tab.wait_for(f"!{FRAUD_PANEL}.open")

    assert "payments-0-17" in shown
    assert tab.run(focused) == f"#{anchor('fraud_detection')}"
    assert tab.run("document.activeElement.matches(':focus-visible')")


def test_news_are_shown_without_closing_an_open_box_or_moving_the_focus(tab: Tab) -> None:
    known = answers()

    def current() -> Answers:
        return known

    with page_at(free_port(), lambda: page_snapshot(current())) as url:
        tab.look_at(url, width=1280)
        tab.run(f"{FRAUD_PANEL}.showModal()")
        before = tab.run(f"{FRAUD_PANEL}.textContent")
        known = answers([])
        tab.wait_for("document.getElementById('summary').textContent.includes('0 warn')")

        assert "lag-seconds" in before
        tab.wait_for(f"!{FRAUD_PANEL}.textContent.includes('lag-seconds')")
        assert tab.run(f"{FRAUD_PANEL}.open && {FRAUD_PANEL}.contains(document.activeElement)")
        assert CARD_AS_SHOWN in tab.run("document.getElementById('alerts').textContent")


def test_page_without_its_server_says_since_when_and_goes_on_when_it_is_back(tab: Tab) -> None:
    port = free_port()
    lost = "document.getElementById('lost').textContent"

    with page_at(port, page_snapshot) as url:
        tab.look_at(url, width=1280)
        tab.wait_for("document.getElementById('summary').textContent.includes('fail')")
        assert tab.run(lost) == ""
    tab.wait_for(f"/no answer since \\d\\d:\\d\\d:\\d\\d UTC/.test({lost})")
    assert "fraud_detection" in tab.run("document.body.textContent")

    with page_at(port, page_snapshot):
        tab.wait_for(f"{lost} === ''")


def test_no_script_or_style_is_refused_by_the_page_s_own_policy(tab: Tab, url: str) -> None:
    tab.look_at(url, width=1280)

    loaded = tab.run("performance.getEntriesByType('resource').map(each => new URL(each.name).origin)")
    tab.run("document.body.append(Object.assign(document.createElement('script'), {text: 'window.foreign = 1'}))")

    assert set(loaded) <= {url}
    assert tab.run("getComputedStyle(document.querySelector('.close')).borderRadius") == "8px"
    assert tab.run("typeof window.foreign") == "undefined"
