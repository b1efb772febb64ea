"""The page's parts as elements, from a snapshot; each has an id, by which the browser finds what to renew.

What comes from records is masked as everywhere in `ops`.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from connectors.kafka.topics import FRAUD_ALERTS
from events import FraudAlert
from ops.formats import money, time_in_words, utc
from ops.frontier.arithmetic import Frontier
from ops.frontier.commands import reached
from ops.health.answers.cluster import Checkpoint
from ops.health.check import Level
from ops.health.commands import SIGNS, value_in_words
from ops.masking import shown, shown_field
from ops.page.elements import Content, Element, make
from ops.page.flow_drawing import MARGIN, Note, Notes, drawn, kind, listed, sign, size
from ops.page.flow_layout import Layout
from ops.page.snapshot import Box, Finding, PartitionTime, Silence, Snapshot

SHOWN_EVIDENCE = 5
"""Number of payments of an alert that are named."""
SHOWN_SUBJECTS = 6
"""Number of checks that are named where an answer is missing."""
BAR, BAR_GAP, PLOT_HEIGHT = 18.0, 8.0, 60.0
"""Width of a bar of a plot, the distance to the next, and the height of the highest."""


def parts(snapshot: Snapshot, layout: Layout) -> dict[str, Element]:
    """Return all parts of the page by id, in their order."""
    found = [
        _summary(snapshot),
        _moment(snapshot),
        _silences(snapshot),
        _picture(snapshot, layout),
        _boxes(snapshot),
        _frontiers(snapshot),
        _alerts(snapshot),
        _rules(snapshot),
        *(_panel(box, snapshot) for box in snapshot.boxes),
    ]
    return {dict(each.attributes)["id"]: each for each in found}


def document(snapshot: Snapshot, layout: Layout, every: float) -> Element:
    """Return the whole page, which can be read without a script.

    Args:
        every: time after which a browser expects news, in seconds.
    """
    found = parts(snapshot, layout)
    panels = [each for name, each in found.items() if name.startswith("program-")]
    return make(
        "html",
        make(
            "head",
            make("meta", charset="utf-8"),
            make("meta", name="viewport", content="width=device-width, initial-scale=1"),
            make("meta", name="color-scheme", content="light dark"),
            make("title", "Millrace"),
            make("link", rel="stylesheet", href="/page.css"),
            make("script", src="/page.js", defer=""),
        ),
        make(
            "body",
            make(
                "header",
                make("h1", "Millrace"),
                make(
                    "p",
                    make("strong", id="lost"),
                    found["summary"],
                    aria_live="polite",
                    class_="state",
                ),
                found["moment"],
            ),
            make(
                "main",
                found["silences"],
                make("h2", "Data flow"),
                found["picture"],
                found["boxes"],
                found["frontiers"],
                make("div", found["alerts"], found["rules"], class_="columns"),
                make("section", make("h2", "Programs", id="programs"), panels, class_="panels"),
            ),
            data_every=every,
        ),
        lang="en",
    )


def clock(moment: datetime, now: datetime) -> str:
    """Return the time of a moment, with its date unless that is today."""
    return f"{moment:%H:%M:%S} UTC" if moment.date() == now.date() else utc(moment)


def anchor(name: str) -> str:
    """Return the id of a program's panel."""
    return f"program-{re.sub('[^a-z0-9_]+', '-', name)}"


def _summary(snapshot: Snapshot) -> Element:
    levels = snapshot.levels
    counts = [make("span", _sign(level), f"{number} {level.value}", class_="count") for level, number in levels.items()]
    return make("span", counts if snapshot.evaluated_at else "The checks are under way", id="summary")


def _sign(level: Level) -> Content:
    """Return a level's sign before a text; those that many fonts lack are drawn."""
    drawn_sign = sign(SIGNS[level], _style(level), 6, 10)
    if drawn_sign.tag == "text":
        return f"{SIGNS[level]} "
    return [make("svg", drawn_sign, class_="mark", viewBox="0 0 12 12", aria_hidden="true"), " "]


def _moment(snapshot: Snapshot) -> Element:
    evaluated = snapshot.evaluated_at
    checked = f"checks of {clock(evaluated, snapshot.at)}, " if evaluated else ""
    pause = f"every {snapshot.refresh_seconds:.0f} s, " if evaluated else ""
    text = f"as of {clock(snapshot.at, snapshot.at)}; {checked}{pause}with {snapshot.cpu_share:.1%} of a core"
    return make("p", text, id="moment", class_="quiet")


def _silences(snapshot: Snapshot) -> Element:
    lines = [make("li", _silence(each, snapshot.at)) for each in snapshot.silences]
    return make("ul", lines, id="silences", class_="level-unknown", hidden=None if lines else "")


def _silence(silence: Silence, now: datetime) -> str:
    names = ", ".join(silence.subjects[:SHOWN_SUBJECTS])
    more = len(silence.subjects) - SHOWN_SUBJECTS
    rest = f" and {more} more" if more > 0 else ""
    return f"{SIGNS[Level.UNKNOWN]} no answer since {clock(silence.since, now)}: {silence.reason} ({names}{rest})"


def _picture(snapshot: Snapshot, layout: Layout) -> Element:
    width, height = size(layout)
    notes = Notes(
        {box.program.name: _note(box, snapshot) for box in snapshot.boxes if box.program},
        {topic: _rate(rate) for topic, rate in snapshot.live.rates.items()},
    )
    drawing = make(
        "svg",
        make("rect", class_="surface", x=0.5, y=0.5, width=width - 1, height=height - 1, rx=10),
        make("g", *drawn(layout, notes), transform=f"translate({MARGIN} {MARGIN})"),
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        role="group",
        aria_label="Data flow: each program opens what is known of it",
    )
    return make("div", drawing, id="picture")


def _note(box: Box, snapshot: Snapshot) -> Note:
    line = _line(box, snapshot)
    return Note(
        sign=SIGNS[box.level],
        style=_style(box.level),
        line=line if box.silent_since else f"{box.level.value}, {line}",
        link=f"#{anchor(box.name)}",
    )


def _line(box: Box, snapshot: Snapshot) -> str:
    """Return what matters most of a program, in few words."""
    if box.silent_since:
        return f"no answer since {clock(box.silent_since, snapshot.at).removesuffix(' UTC')}"
    if box.program is None:
        return "services, disks, declarations"
    known = []
    if box.lag_seconds is not None:
        known.append(f"lag {_duration(box.lag_seconds)}")
    if box.stale_seconds is not None:
        known.append(f"stale {_duration(box.stale_seconds)}")
    return ", ".join(known) or kind(box.program)


def _duration(seconds: float) -> str:
    """Return a duration in few characters."""
    if 0 < seconds < 10:
        return f"{seconds:.1f} s"
    for unit, size_ in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size_:
            return f"{seconds / size_:,.0f} {unit}"
    return f"{seconds:.0f} s"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 or rate == 0 else f"{rate:.1f}/s"


def _style(level: Level) -> str:
    return f"level-{level.value}"


def _boxes(snapshot: Snapshot) -> Element:
    """Return all boxes as a list: beside the picture only the deployment is to be seen, on a small screen all are."""
    return make("ul", (_box(box, snapshot) for box in snapshot.boxes), id="boxes")


def _box(box: Box, snapshot: Snapshot) -> Element:
    rates = [
        make("span", f"{topic.name} {_rate(snapshot.live.rates[topic.name])}", class_="rate")
        for topic in (box.program.writes if box.program else ())
        if topic.name in snapshot.live.rates
    ]
    link = make(
        "a",
        make("strong", _sign(box.level), box.level.value, class_=_style(box.level)),
        make("span", f" {box.name} ", class_="name"),
        make("span", f"{_line(box, snapshot)} ", class_="quiet"),
        rates,
        href=f"#{anchor(box.name)}",
    )
    return make("li", link, class_="of-program" if box.program else "of-deployment")


def _alerts(snapshot: Snapshot) -> Element:
    alerts = snapshot.live.alerts
    listed_alerts = make("ol", (_alert(each) for each in alerts)) if alerts else make("p", "No alert is known.")
    return make("section", make("h2", "Latest alerts"), listed_alerts, id="alerts")


def _alert(alert: FraudAlert) -> Element:
    topic = FRAUD_ALERTS.name
    step = alert.event_type.removeprefix("fraud_alert.")
    evidence = ", ".join(shown_field(topic, "payment_id", each) for each in alert.payments[-SHOWN_EVIDENCE:])
    more = alert.payment_count - min(len(alert.payments), SHOWN_EVIDENCE)
    rest = f" and {more:,} more" if more > 0 else ""
    noun = "payment" if alert.payment_count == 1 else "payments"
    return make(
        "li",
        make(
            "p",
            make("strong", f"card {shown_field(topic, 'card_id', alert.card_id)}"),
            f" {step}, score {alert.score}, ",
            make("span", money(alert.amount_minor, shown(alert.currency)), class_="amount"),
            make("span", f" {time_in_words(alert.event_time)}", class_="quiet"),
        ),
        (make("p", make("strong", shown(each.rule)), f" {shown(each.reason)}") for each in alert.rules),
        make("p", f"{alert.payment_count:,} {noun}: {evidence}{rest}", class_="quiet"),
    )


def _rules(snapshot: Snapshot) -> Element:
    rows = [
        make(
            "tr",
            make("th", shown(each.name), make("span", f" {shown(each.description)}", class_="quiet"), scope="row"),
            make("td", each.status),
            make("td", "too many to count" if each.hits is None else f"{each.hits:,}", class_="number"),
        )
        for each in snapshot.rules
    ]
    head = ("rule", "status", "hits of the last hour")
    return make(
        "section",
        make("h2", "Fraud rules"),
        make("p", snapshot.ruleset, class_="quiet"),
        _table("Rules, and how often each has fired or would have", head, rows),
        id="rules",
    )


def _frontiers(snapshot: Snapshot) -> Element:
    """Return up to which event time of the sources everything is in each kind of sink."""
    sinks = snapshot.picture.sinks() if snapshot.picture else {}
    rows = [
        make(
            "tr", make("th", sink, scope="row"), make("td", _reached(found)), make("td", found.held_by, class_="quiet")
        )
        for sink, found in sinks.items()
    ]
    table = _table("Every order, payment and change up to this time is there", ("sink", "up to", "held by"), rows)
    return make("section", make("h2", "Complete up to"), table or make("p", "Not known yet"), id="frontiers")


def _reached(found: Frontier) -> str:
    words = f"unknown: {found.unknown}" if found.unknown else reached(found)
    return f"{words}, all there is" if found.is_complete and found.up_to is not None else words


def _table(caption: str, head: tuple[str, ...], rows: list[Element]) -> Element | None:
    """Return a table whose headings are aligned as what is below them; None if there are no rows."""
    if not rows:
        return None
    below = [dict(each.attributes).get("class") for each in rows[0].children if isinstance(each, Element)]
    styles = ["number" if each == "number" else None for each in below]
    return make(
        "table",
        make("caption", caption),
        make("thead", make("tr", (make("th", e, scope="col", class_=s) for e, s in zip(head, styles, strict=True)))),
        make("tbody", rows),
    )


def _panel(box: Box, snapshot: Snapshot) -> Element:
    """Return everything that is known of a program; the browser's script opens it as a dialog."""
    id_ = anchor(box.name)
    return make(
        "dialog",
        make(
            "div",
            make("h2", _sign(box.level), box.name, id=f"{id_}-name", class_=_style(box.level)),
            make("button", "Close", type="button", class_="close"),
            class_="bar",
        ),
        make("p", _about(box)),
        make("p", make("a", "Its job in Flink's web UI", href=box.flink_url, rel="noreferrer"))
        if box.flink_url
        else None,
        _topics(box, snapshot),
        _table("Checks", ("level", "check", "value"), [_finding(each, snapshot.at) for each in box.findings])
        or make("p", "No check has a result about it."),
        _event_times(box.partitions),
        _checkpoints(box),
        _letters(box),
        id=id_,
        aria_labelledby=f"{id_}-name",
    )


def _about(box: Box) -> str:
    program = box.program
    if program is None:
        return "What belongs to no program: services, brokers, disks, memory, declarations."
    words = [kind(program)]
    words += [f"reads {listed(program.reads)}"] if program.reads else []
    words += [f"emits {listed(program.writes)}"] if program.writes else []
    words += [f"writes {program.fills} ({program.target})"] if program.target else []
    return "; ".join(words)


def _topics(box: Box, snapshot: Snapshot) -> Element | None:
    """Return the topics that a program reads and writes, with how fresh they are."""
    used = {topic.name: "reads" for topic in box.program.reads} if box.program else {}
    used |= {topic.name: "writes" for topic in box.program.writes} if box.program else {}
    rates, newest = snapshot.live.rates, snapshot.newest
    arrows = snapshot.picture.arrows if snapshot.picture else {}
    complete = {arrow.topic.name: _reached(found) for arrow, found in arrows.items() if arrow.program == box.program}
    rows = [
        make(
            "tr",
            make("th", name, scope="row", class_="name"),
            make("td", use),
            make("td", _rate(rates[name]) if name in rates else "not known", class_="number"),
            make("td", time_in_words(newest[name]) if name in newest else "not known", class_="number"),
            make("td", complete.get(name, "not known") if use == "reads" else "", class_="number"),
        )
        for name, use in used.items()
    ]
    return _table("Topics", ("topic", "use", "records a second", "newest record", "complete up to"), rows)


def _finding(finding: Finding, now: datetime) -> Element:
    result = finding.result
    since = f"no answer since {clock(finding.silent_since, now)}; before: " if finding.silent_since else ""
    details = [result.check.question, since + result.detail]
    if finding.level is not Level.OK:
        details.append(f"first: {result.check.remedy[0]}")
    return make(
        "tr",
        make("td", _sign(finding.level), finding.level.value, class_=_style(finding.level)),
        make(
            "th",
            f"{result.check.id} ",
            make("span", result.subject, class_="name"),
            (make("span", f" {each}", class_="quiet line") for each in details if each),
            scope="row",
        ),
        make("td", value_in_words(result), class_="number"),
    )


def _event_times(partitions: tuple[PartitionTime, ...]) -> Element | None:
    rows = [
        make(
            "tr",
            make("th", shown(each.partition), scope="row"),
            make("td", "none yet" if each.watermark is None else time_in_words(each.watermark)),
            make("td", "" if each.behind_seconds is None else f"{each.behind_seconds:,.1f} s", class_="number"),
        )
        for each in partitions
    ]
    return _table("Event time by partition", ("partition", "watermark", "behind its newest record"), rows)


def _checkpoints(box: Box) -> Content:
    found = box.checkpoints
    if found is None or not found.history:
        return None
    history = list(reversed(found.history))
    longest = max(each.seconds for each in history)
    failed = sum(each.status == "FAILED" for each in history)
    text = (
        f"The last {len(history)} checkpoints: the longest took {longest:.1f} s, {failed} failed; the state has "
        f"{found.state_bytes / 1e6:,.1f} MB; the last completed one is of {utc(found.last)}"
    )
    width = len(history) * (BAR + BAR_GAP)
    plot = make(
        "svg",
        (_bar(number, each, longest) for number, each in enumerate(history)),
        viewBox=f"0 0 {width:.0f} {PLOT_HEIGHT + 24:.0f}",
        width=width,
        height=PLOT_HEIGHT + 24,
        role="img",
        aria_label="Durations of the last checkpoints; the text below has the figures",
        class_="plot",
    )
    return [make("h3", "Checkpoints"), plot, make("p", text)]


def _bar(number: int, checkpoint: Checkpoint, longest: float) -> Iterator[Element]:
    level = {"COMPLETED": Level.OK, "FAILED": Level.FAIL}.get(checkpoint.status, Level.UNKNOWN)
    height = max(2.0, PLOT_HEIGHT * checkpoint.seconds / longest) if longest else 2.0
    left, top = number * (BAR + BAR_GAP), PLOT_HEIGHT - height
    yield make("rect", class_=_style(level), x=left, y=top, width=BAR, height=height)
    yield sign(SIGNS[level], _style(level), left + BAR / 2, PLOT_HEIGHT + 18)


def _letters(box: Box) -> Element | None:
    rows = [
        make(
            "tr",
            make("th", each.id, scope="row"),
            make("td", time_in_words(each.event_time)),
            make("td", each.reason, class_="text"),
        )
        for each in box.letters
    ]
    return _table(
        "Last dead letters: `python -m ops dead-letters show ID` has more", ("id", "time of record", "reason"), rows
    )
