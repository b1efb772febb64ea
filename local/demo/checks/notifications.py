"""Checks notifications and e-mails against policy, orders, alerts and the shop."""

from collections import Counter
from collections.abc import Iterator, Sequence

from local.demo.checks.finding import Finding, some
from local.oracles.unsent_notifications import Sent


def findings(sent: Sent, mailed: Sequence[str], most_duplicates: int = 0) -> Iterator[Finding]:
    """Yield the checks of notifications and e-mails.

    Args:
        mailed: ids of the notifications that are in the mailbox, one per e-mail.
        most_duplicates: how many e-mails the notifier may have sent twice, since their answers were lost.
    """
    reasons = "".join(f" + {count:,} {reason}" for reason, count in sorted(sent.reasons.items()))
    by_id = {each.event_id: each for each in sent.candidates}
    yield Finding(
        "each alert and order is sent, or the policy says why not",
        f"{len(sent.candidates):,} = {len(by_id.keys() & sent.counts.keys()):,} sent{reasons}{some(sent.unexplained)}",
        not sent.unexplained and sent.counts.keys() <= by_id.keys(),
    )
    twice = [event_id for event_id, count in sent.counts.items() if count > 1]
    yield Finding("nothing is sent twice", f"{len(sent.counts):,} occasions{some(twice)}", not twice)
    wrong = [event_id for event_id in sent.counts if event_id in by_id and sent.must_not(by_id[event_id])]
    yield Finding(
        "no customer who opted out or is asleep is notified, unless of fraud", f"{len(wrong):,}{some(wrong)}", not wrong
    )
    ids, mails = {each.event_id for each in sent.notifications}, Counter(mailed)
    duplicated = [event_id for event_id, count in mails.items() if count > 1]
    repeated = (
        f" + {len(mailed) - len(mails):,} sent again, of {most_duplicates:,} at most"
        if duplicated or most_duplicates
        else ""
    )
    yield Finding(
        "notifications = mails, by id; duplicates by lost answers only",
        f"{len(ids):,} = {len(mails):,}{repeated}{some([*(ids ^ mails.keys()), *duplicated])}",
        ids == mails.keys() and len(mailed) - len(mails) <= most_duplicates,
    )
