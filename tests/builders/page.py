"""Builders of what the live page knows: answers of all services at noon."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from connectors.settings import Settings
from events import BrokenRule
from jobs import flow
from jobs.flow import PROGRAMS
from ops.frontier.arithmetic import Frontier
from ops.frontier.arrows import ARROWS, Arrow
from ops.frontier.observer import Picture
from ops.health.answers.brokers import Brokers
from ops.health.answers.cluster import SourceWatermark
from ops.health.answers.letters import LastLetter, Letters
from ops.health.answers.rule_hits import Hour, RuleHits
from ops.health.check import Level, Result
from ops.health.checks import CHECKS
from ops.page.commands import BOX_WIDTH, RATE_WIDTH
from ops.page.flow_layout import Layout, laid_out
from ops.page.live_topics import Live
from ops.page.snapshot import Answers, Asked, Snapshot, learn, nothing_known, snapshot
from ops.rules.rulesets import Published
from tests.builders.events import fraud_alert, rule, ruleset
from tests.builders.health import NOW, NOW_MS, checkpoint, checkpoints, job, offsets, tasks

WITHIN = timedelta(seconds=60)
CARD = "card-0000-1111-2222-4321"
CARD_AS_SHOWN = "•••4321"
NO_BROKER = "no Kafka broker answers"
SECRET = "hunter2-of-the-record"


def result(check: str, subject: str, value: float, detail: str = "") -> Result:
    """Return a result of a check of the deployment, at its level."""
    declared = next(each for each in CHECKS if each.id == check)
    return Result(declared, declared.level(value), subject, value, detail)


def unmade(check: str, reason: str) -> Result:
    """Return the result of a check that can't be made."""
    return Result(next(each for each in CHECKS if each.id == check), Level.UNKNOWN, detail=reason)


def results() -> list[Result]:
    """Return results of a deployment in which the warehouse lags, and a check of no program warns."""
    return [
        result("lag-seconds", "warehouse: payments", 900, "partition 1: the first unread record is of noon"),
        result("lag-seconds", "fraud_detection: payments", 0.4),
        result("lag-seconds", "order_enrichment: orders", 0),
        result("sink-warehouse", "payments → fact_payment", 12),
        result("checkpoint-age", "fraud_detection", 4),
        result("topic-missing", "payments", 0),
        result("schema-refused", "orders-value", 0),
        result("capture-heartbeat", "millrace-shop", 1),
        result("service-silent", "Kafka", 0),
        result("service-silent", "mail server", 0),
        result("disk-stack", "/state", 0.86),
    ]


def frontiers() -> dict[Arrow, Frontier]:
    """Return the frontiers of all arrows: what the warehouse reads is held, and revenue is unknown."""
    found = {arrow: Frontier(NOW_MS - 1_000, is_complete=True) for arrow in ARROWS}
    for arrow in ARROWS:
        if arrow.program == flow.WAREHOUSE:
            found[arrow] = Frontier(NOW_MS - 900_000, NOW_MS - 900_000, held_by="partition 1")
        elif arrow.program == flow.REVENUE:
            found[arrow] = Frontier(unknown="no jobs revenue_per_minute are running")
    return found


def answers(found: Sequence[Result] | None = None, **parts: Any) -> Answers:
    """Return answers that came at noon.

    Args:
        found: results of the checks.
        parts: answers of services by their names.
    """
    known = nothing_known([check.id for check in CHECKS], NOW, WITHIN)
    watermarks = (SourceWatermark("Source__payments", 0, NOW_MS - 2_000, {"payments-0": NOW_MS - 2_000}),)
    defaults = {
        "brokers": Brokers(newest=offsets("payments", NOW_MS - 500, NOW_MS - 900)),
        "jobs": (job(),),
        "tasks": (tasks({}, watermarks=watermarks),),
        "checkpoints": (checkpoints(checkpoint(seconds=2), checkpoint("FAILED", seconds=1), state_bytes=3_000_000),),
        "letters": Letters(last={"fraud_detection": [LastLetter("payments-0-17", NOW_MS, "currency: '…' is unknown")]}),
        "rule_hits": RuleHits(Hour(1_000, {"many_payments": 7})),
        "shadow_hits": {"night": 31},
        "picture": Picture(NOW, frontiers()),
        "rulesets": (Published(0, ruleset(rule(), rule("night", status="shadow"), rule("old", status="off"))),),
    }
    asked = Asked(results() if found is None else found, defaults | parts)
    learn(known, asked, NOW, WITHIN)
    alert = fraud_alert(
        card_id=CARD,
        features={"note": SECRET},
        rules=(BrokenRule(rule="many_payments", score=50, reason="Many payments within a minute"),),
        payments=("payment-1", "payment-2"),
        payment_count=2,
    )
    known.live = known.live.renewed(Live({"payments": 200.4, "orders": 5.25, "dead-letters": 0}, (alert,)), NOW, WITHIN)
    known.refresh_seconds = 42
    return known


def page_snapshot(known: Answers | None = None, later: float = 0, **settings: str) -> Snapshot:
    """Return a snapshot of some seconds after noon.

    Args:
        settings: those of the deployment that differ from the defaults.
    """
    return snapshot(known or answers(), Settings(**settings), NOW + timedelta(seconds=later))


@cache
def page_layout() -> Layout:
    """Return the picture's layout, which takes two seconds."""
    return laid_out(PROGRAMS, RATE_WIDTH, BOX_WIDTH)
