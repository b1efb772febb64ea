"""The page can be read without a script, shows nothing that `ops` masks, and lets no record bring markup."""

from datetime import timedelta
from html.parser import HTMLParser

import pytest

from connectors.kafka.topics import TOPICS
from events import BrokenRule
from jobs.flow import PROGRAMS
from ops.page.elements import data, html, make
from ops.page.live_topics import Live
from ops.page.snapshot import Answers, Asked, Snapshot, learn
from ops.page.views import anchor, clock, document, parts
from tests.builders.events import fraud_alert
from tests.builders.health import NOW
from tests.builders.page import (
    CARD,
    CARD_AS_SHOWN,
    NO_BROKER,
    SECRET,
    WITHIN,
    answers,
    page_layout,
    page_snapshot,
    unmade,
)

VOID = {"link", "meta"}


class Read(HTMLParser):
    """Texts of a document by the ids of the elements that they are in, and the tags that are there."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(dict(attrs).get("id") or "")

    def handle_endtag(self, tag: str) -> None:
        assert tag not in VOID
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for id_ in self._open:
            self.texts[id_] = self.texts.get(id_, "") + data


def read(snapshot: Snapshot) -> Read:
    """Return the page as a browser without a script has it."""
    return Read(html(document(snapshot, page_layout(), 5)))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_each_program_is_in_the_picture_the_list_and_has_a_panel(program: object) -> None:
    name = program.name  # type: ignore[attr-defined]
    page = read(page_snapshot())

    links = [attributes for tag, attributes in page.tags if tag == "a" and attributes["href"] == f"#{anchor(name)}"]

    assert len(links) == 2
    assert name in page.texts["picture"]
    assert name in page.texts["boxes"]
    assert name in page.texts[anchor(name)]


def test_panel_has_checks_watermarks_checkpoints_dead_letters_and_the_link_to_flink() -> None:
    page = read(page_snapshot())
    panel = page.texts[anchor("fraud_detection")]

    for part in (
        "lag-seconds fraud_detection: payments",
        "0.4 s",
        "payments-02026-03-01 11:59:58 UTC1.5 s",
        "The last 2 checkpoints: the longest took 2.0 s, 1 failed; the state has 3.0 MB",
        "payments-0-17",
        "currency: '…' is unknown",
    ):
        assert part in panel
    assert any(
        attributes.get("href") == "http://127.0.0.1:18081/#/job/running/id of fraud_detection/overview"
        for tag, attributes in page.tags
        if tag == "a"
    )


def test_picture_has_state_as_word_lag_freshness_and_records_a_second() -> None:
    picture = read(page_snapshot()).texts["picture"]

    for part in ("fail, lag 15 min, stale 12 s", "ok, lag 0.4 s", "payments 200/s", "orders 5.2/s", "dead-letters0/s"):
        assert part in picture


def test_alert_has_card_as_ops_shows_it_rule_amount_and_evidence() -> None:
    alerts = read(page_snapshot()).texts["alerts"]

    for part in (f"card {CARD_AS_SHOWN}", "opened, score 50, 40.00 EUR", "many_payments Many payments within a minute"):
        assert part in alerts
    assert "2 payments: payment-1, payment-2" in alerts


def test_many_payments_of_an_alert_are_counted_and_the_latest_named() -> None:
    known = answers()
    payments = tuple(f"p{number}" for number in range(50))
    alert = fraud_alert(payments=payments, payment_count=60)
    known.live = known.live.renewed(Live({}, (alert,)), NOW, WITHIN)

    assert "60 payments: p45, p46, p47, p48, p49 and 55 more" in read(page_snapshot(known)).texts["alerts"]


def test_whole_card_number_and_features_are_nowhere() -> None:
    text = html(document(page_snapshot(), page_layout(), 5))

    assert CARD not in text
    assert SECRET not in text


def silent() -> Answers:
    """Return answers of a deployment whose brokers have not answered for 13 seconds."""
    known = answers()
    known.live = known.live.failed(NO_BROKER)
    learn(known, Asked([unmade("lag-seconds", NO_BROKER)]), NOW + timedelta(seconds=13), WITHIN)
    return known


def test_what_does_not_answer_says_since_when_and_keeps_its_last_values() -> None:
    page = read(page_snapshot(silent(), later=13))

    assert "no answer since 12:00:00 UTC: no Kafka broker answers" in page.texts["silences"]
    assert "records a second, and alerts, lag-seconds" in page.texts["silences"]
    assert "fraud_detection no answer since 12:00:00" in page.texts["picture"]
    assert "? unknownlag-seconds fraud_detection: payments" in page.texts[anchor("fraud_detection")]
    assert CARD_AS_SHOWN in page.texts["alerts"]
    assert "200/s" in page.texts["picture"]


def test_time_of_another_day_has_its_date() -> None:
    assert clock(NOW, NOW) == "12:00:00 UTC"
    assert clock(NOW - timedelta(days=1), NOW) == "2026-02-28 12:00:00 UTC"


def test_record_brings_no_markup_of_its_own() -> None:
    known = answers()
    hostile = "<script>alert(1)</script>"
    alert = fraud_alert(rules=(BrokenRule(rule=hostile, score=1, reason='"><img src=x>'),), payments=(hostile,))
    known.live = known.live.renewed(Live({}, (alert,)), NOW, WITHIN)

    page = read(page_snapshot(known))

    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{"src": "/page.js", "defer": ""}]
    assert "img" not in {tag for tag, _ in page.tags}
    assert hostile in page.texts["alerts"]


def test_nothing_is_loaded_from_elsewhere_and_no_style_or_script_is_inline() -> None:
    page = read(page_snapshot())

    loaded = [
        attributes.get("src") or attributes.get("href") for tag, attributes in page.tags if tag in {"link", "script"}
    ]
    assert loaded == ["/page.css", "/page.js"]
    assert not any({"style", "onclick", "onload"} & attributes.keys() for _, attributes in page.tags)


def test_ids_are_unique_and_every_part_can_be_found_by_its_id() -> None:
    snapshot = page_snapshot()
    ids = [attributes["id"] for _, attributes in read(snapshot).tags if "id" in attributes]

    assert len(ids) == len(set(ids))
    assert parts(snapshot, page_layout()).keys() <= set(ids)


def test_every_topic_of_the_data_flow_is_in_the_picture() -> None:
    picture = read(page_snapshot()).texts["picture"]
    written = {topic.name for program in PROGRAMS for topic in program.writes}

    assert written <= {topic.name for topic in TOPICS if topic.name in picture}


def test_element_is_html_and_json_with_the_same_content() -> None:
    element = make("p", "a < b ", make("strong", 'say "so"', class_="x", aria_label='"'), None, ["c", ["d"]], id=None)

    assert html(element) == '<p>a &lt; b <strong class="x" aria-label="&quot;">say "so"</strong>cd</p>'
    assert data(element) == ["p", {}, ["a < b ", ["strong", {"class": "x", "aria-label": '"'}, ['say "so"']], "c", "d"]]


def test_time_up_to_which_everything_is_in_each_sink_is_shown_with_what_holds_it() -> None:
    page = read(page_snapshot())

    assert "PostgreSQL" in page.texts["frontiers"]
    assert "no jobs revenue_per_minute are running" in page.texts["frontiers"]
    assert "2026-03-01 11:59:59 UTC, all there is" in page.texts["frontiers"]
    assert "2026-03-01 11:45:00 UTC" in page.texts[anchor("warehouse")]
    assert "unknown: no jobs revenue_per_minute are running" in page.texts[anchor("revenue_per_minute")]


def test_page_whose_frontiers_are_not_known_yet_says_so() -> None:
    assert "Not known yet" in read(page_snapshot(answers(picture=None))).texts["frontiers"]
