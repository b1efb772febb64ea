"""Notification policy: which messages are sent, and when. Parsed from a TOML file and checked before use."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Annotated, Any, Literal, get_args

import msgspec

Kind = Literal["fraud_suspected", "fraud_escalated", "fraud_closed", "order_confirmed", "order_completed"]
KINDS: tuple[Kind, ...] = get_args(Kind)
WARNINGS: tuple[Kind, ...] = ("fraud_suspected", "fraud_escalated")
"""Kinds that may be marked critical: sent even to customers who opted out of everything except fraud warnings."""

_TimeOfDay = Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=len("hh:mm"))]
"""The maximum length excludes a line break, which `$` accepts in Python."""

HOURS_OF_GRACE = 24
"""Minimum time for which a sent occasion is remembered after the last moment at which it can still wait."""


class PolicyError(ValueError):
    """A policy can't be used; one line per mistake, each with the place, what is wrong and what would be right."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class QuietHours(msgspec.Struct, frozen=True, kw_only=True, rename={"begin": "from", "end": "to"}):
    """From one time of day to another, perhaps of the next day, `hh:mm` in the recipient's time zone."""

    begin: _TimeOfDay
    end: _TimeOfDay


class OccasionRule(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of occasion is sent."""

    template: Literal["fraud_warning", "order_confirmation"]
    """Template of a message with this occasion alone."""
    critical: bool
    """Whether it is sent at once: in quiet hours, beyond the limit, and to customers who opted out."""
    sent: bool
    """Whether it is sent at all."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the policy; it is submitted with the job."""

    version: Annotated[int, msgspec.Meta(ge=1)]
    """Number that grows with each change; notifications carry it."""
    messages_per_hour: Annotated[int, msgspec.Meta(ge=1, le=100)]
    """Maximum number of messages that aren't critical to one recipient within an hour; a digest counts as one."""
    settle_seconds: Annotated[int, msgspec.Meta(ge=0, le=600)]
    """Delay between event time and decision of what isn't critical, so that the order of arrival has no influence."""
    wait_for_customer_hours: Annotated[int, msgspec.Meta(ge=1, le=168)]
    """How long an occasion waits for its customer to become known."""
    remembered_hours: Annotated[int, msgspec.Meta(ge=1, le=2_000)]
    """How long a sent occasion is remembered."""
    quiet_hours: QuietHours | None = None
    """When messages that aren't critical wait; no quiet hours if left out."""
    occasion: dict[Kind, OccasionRule]
    """One entry for every kind."""


def parse(text: str) -> Policy:
    """Parse and check a policy file.

    Raises:
        PolicyError: the text is not TOML, or its content is invalid; has every mistake that was found.
    """
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOML's own error, a number of 5,000 digits, 1,000 brackets
        raise PolicyError([f"not TOML: {error}"]) from error
    if unknown := list(_unknown_names(content)):
        raise PolicyError(unknown)
    try:
        policy = msgspec.convert(content, Policy)
    except msgspec.ValidationError as error:
        raise PolicyError([str(error)]) from error
    if mistakes := list(_mistakes(policy)):
        raise PolicyError(mistakes)
    return policy


def default_text() -> str:
    """Return the policy that is part of Millrace."""
    return resources.files(__package__).joinpath("policies/default.toml").read_text(encoding="utf-8")


def check_covers(policy: Policy, missing_data_hours: int) -> None:
    """Check that the first revision of an order is still remembered when its last one arrives.

    Args:
        missing_data_hours: maximum number of hours until an order becomes complete.

    Raises:
        PolicyError: the first revision would be forgotten before.
    """
    if policy.remembered_hours < missing_data_hours + HOURS_OF_GRACE:
        raise PolicyError(
            [
                f"remembered_hours is {policy.remembered_hours}, but an order may become complete within "
                f"{missing_data_hours} hours (MILLRACE_MISSING_DATA_HOURS): it must be at least "
                f"{missing_data_hours + HOURS_OF_GRACE}, or orders are confirmed twice"
            ]
        )


def _unknown_names(content: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown("", content, [field.encode_name for field in msgspec.structs.fields(Policy)])
    yield from _unknown("quiet_hours: ", content.get("quiet_hours"), ["from", "to"])
    occasions = content.get("occasion")
    yield from _unknown("occasion: ", occasions, KINDS)
    for kind, rule in occasions.items() if isinstance(occasions, dict) else ():
        yield from _unknown(f"occasion.{kind}: ", rule, OccasionRule.__struct_fields__)


def _unknown(place: str, content: Any, known: Sequence[str]) -> Iterator[str]:
    if isinstance(content, dict):
        for name in sorted(set(content) - set(known)):
            yield f"{place}unknown name {name!r}; there are {', '.join(known)}"


def _mistakes(policy: Policy) -> Iterator[str]:
    quiet = policy.quiet_hours
    if quiet and quiet.begin == quiet.end:
        yield f"quiet_hours: from and to are both {quiet.begin}; leave [quiet_hours] out if there are none"
    wait, least = policy.wait_for_customer_hours, policy.wait_for_customer_hours + HOURS_OF_GRACE
    if policy.remembered_hours < least:
        yield (
            f"remembered_hours is {policy.remembered_hours}, but an occasion may wait for {wait} hours "
            f"(wait_for_customer_hours): it must be at least {least}"
        )
    for kind in KINDS:
        rule = policy.occasion.get(kind)
        if rule is None:
            yield f"occasion: {kind} is missing; write `sent = false` if it must not be sent"
            continue
        expected = "fraud_warning" if kind.startswith("fraud_") else "order_confirmation"
        if rule.template != expected:
            yield f"occasion.{kind}: template {rule.template!r} has no text for it; use {expected!r}"
        if rule.critical and kind not in WARNINGS:
            yield (
                f"occasion.{kind}: it can't be critical: critical messages also reach customers who opted out of "
                f"everything except fraud warnings; only {' and '.join(WARNINGS)} can"
            )
    confirmed, completed = policy.occasion.get("order_confirmed"), policy.occasion.get("order_completed")
    if completed and completed.sent and not (confirmed and confirmed.sent):
        yield "occasion.order_completed: it is sent, but order_confirmed, which it completes, is not; send both or none"
