"""The text of a message in each language: what happened, with money, time and cards as people write them."""

import pytest

from notifier.formats import LANGUAGES, masked, moment, money
from notifier.wording import TEMPLATES, Wording, one_line, worded
from tests.builders.events import event_time
from tests.builders.notifications import notification, occasion

KINDS = ("order_confirmed", "order_completed", "fraud_suspected", "fraud_escalated", "fraud_closed")


def every_text(wording: Wording) -> str:
    return "\n".join((wording.subject, wording.text, wording.html))


def test_each_language_has_a_folder_of_the_same_templates() -> None:
    folders = {
        folder.name: {file.name for file in folder.iterdir()} for folder in TEMPLATES.iterdir() if folder.is_dir()
    }

    assert folders.keys() == LANGUAGES.keys()
    assert len({frozenset(files) for files in folders.values()}) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_single_message_names_its_subject_in_text_and_html(language: str, kind: str) -> None:
    wording = worded(notification("n1", occasion(kind, amount=1234.5, details=("a detail",)), language=language))

    amount = money(123450, "EUR", language)
    for part in (wording.text, wording.html):
        assert "Ada Lovelace" in part
        assert amount in part
        assert "13:00" in part
        assert "a detail" in part
    assert ("2345" if kind.startswith("fraud") else "order-1") in wording.subject
    assert wording.language == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_of_occasion_has_its_own_text(language: str) -> None:
    texts = {worded(notification("n1", occasion(kind), language=language)).text for kind in KINDS}

    assert len(texts) == len(KINDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_digest_has_all_its_occasions_in_their_order(language: str) -> None:
    occasions = [occasion("order_confirmed", subject_id=f"order-{number}") for number in (1, 2, 3)]

    wording = worded(notification("n1", *occasions, language=language))

    for part in (wording.text, wording.html):
        places = [part.index(each.subject_id) for each in occasions]
        assert places == sorted(places)
    assert "3" in wording.subject


def test_language_without_templates_is_replaced_by_english() -> None:
    assert worded(notification(language="ja")) == worded(notification(language="en"))
    assert worded(notification(language="../de")).language == "en"


@pytest.mark.parametrize(
    ("language", "amount_minor", "currency", "written"),
    [
        ("en", 123456789, "USD", "1,234,567.89 USD"),
        ("de", 123456789, "EUR", "1.234.567,89 EUR"),
        ("fr", 123456789, "EUR", "1\u202f234\u202f567,89 EUR"),
        ("en", 5, "GBP", "0.05 GBP"),
        ("en", -1250, "EUR", "-12.50 EUR"),
        ("de", 1500, "JPY", "1.500 JPY"),
        ("en", 1500, "KWD", "1.500 KWD"),
        ("en", 1234_50, "HUF", "1,234.50 HUF"),
    ],
)
def test_money_is_written_in_its_currency_and_as_the_language_does(
    language: str, amount_minor: int, currency: str, written: str
) -> None:
    assert money(amount_minor, currency, language) == written


@pytest.mark.parametrize(
    ("language", "at", "time_zone", "written"),
    [
        ("en", "2026-03-01T12:05:00Z", "Europe/London", "1 March 2026 at 12:05 (GMT)"),
        ("en", "2026-07-01T12:05:00Z", "Europe/London", "1 July 2026 at 13:05 (BST)"),
        ("en", "2026-01-15T12:05:00Z", "Europe/Dublin", "15 January 2026 at 12:05 (GMT)"),
        ("en", "2026-03-01T23:30:00Z", "Asia/Tokyo", "2 March 2026 at 08:30 (JST)"),
        ("en", "2026-03-01T12:05:00Z", "Asia/Dubai", "1 March 2026 at 16:05 (UTC+04)"),
        ("de", "2026-12-24T17:00:00Z", "Europe/Berlin", "24. Dezember 2026 um 18:00 Uhr (CET)"),
        ("fr", "2026-08-01T10:00:00Z", "Europe/Paris", "1 août 2026 à 12:00 (CEST)"),
        ("en", "2026-03-01T12:05:00Z", "Nowhere/Land", "1 March 2026 at 12:05 (UTC)"),
        ("en", "2026-03-01T12:05:00Z", "../../etc/passwd", "1 March 2026 at 12:05 (UTC)"),
        ("en", "2026-03-01T12:05:00Z", "Europe", "1 March 2026 at 12:05 (UTC)"),
    ],
)
def test_time_is_written_in_the_recipient_s_time_zone(language: str, at: str, time_zone: str, written: str) -> None:
    assert moment(event_time(at), time_zone, language) == written


def test_names_of_customers_and_products_are_escaped_in_html() -> None:
    evil = "<script>alert('1')</script> & co"
    harmful = occasion(details=(evil,), subject_id="<b>o1</b>")

    wording = worded(notification("n1", harmful, recipient_name=evil))

    assert evil in wording.text
    assert "<script>" not in wording.html
    assert "<b>" not in wording.html
    assert wording.html.count("&lt;script&gt;") == 2


@pytest.mark.parametrize("kind", ["fraud_suspected", "fraud_escalated", "fraud_closed"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_card_is_shown_by_its_last_four_characters_only(kind: str, language: str) -> None:
    details = ("card-0012345 paid", "with 4111 1111 1111 1234", "or 5500-0000-0000-0004.")

    wording = worded(notification("n1", occasion(kind, subject_id="card-0012345", details=details), language=language))

    text = every_text(wording)
    assert "•••• 2345" in text
    assert "•••• 1234" in text
    for hidden in ("card-0012345", "0012345", "4111", "5500"):
        assert hidden not in text


def test_card_in_a_digest_is_masked_and_a_short_id_is_hidden() -> None:
    occasions = (occasion("order_confirmed"), occasion("fraud_closed", subject_id="card-0012345"))

    assert "card-0012345" not in every_text(worded(notification("n1", *occasions)))
    assert masked("1234567") == "••••"


def test_recipient_without_a_name_is_greeted_without_one() -> None:
    assert worded(notification(recipient_name=" ")).text.strip().startswith("Hello,\n")
    assert worded(notification(recipient_name="", language="de")).text.strip().startswith("Guten Tag,\n")


def test_invisible_characters_are_removed_from_lines() -> None:
    assert one_line(" a\0b\u202ec\r\nd\x1b\u200be ") == "a b c d e"
