"""What the fraud job says about a card, and why."""

from typing import Annotated, Literal

import msgspec

from events.base import MASKED, CardId, Currency, Event, Identifier, MinorUnits

Score = Annotated[int, msgspec.Meta(ge=0, le=1000, description="sum of the broken rules' scores")]


class BrokenRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that a payment broke."""

    rule: Identifier
    """The rule's name."""
    score: Annotated[int, msgspec.Meta(ge=0, le=100)]
    """What the rule adds to the score, in points of 100."""
    reason: str
    """The rule's description, in the words of whoever wrote it."""


class FraudAlert(Event, frozen=True, kw_only=True):
    """One step in the life of a card's case. Keyed by `card_id`.

    `event_id` is derived from the case and the step, so that a payment that is processed again gives
    the same alert again: consumers drop what they have seen. `event_time` is that of the payment which caused
    the step; on closed it is the moment at which the quiet period ended.
    """

    event_type: Literal["fraud_alert.opened", "fraud_alert.escalated", "fraud_alert.closed"]
    """opened: the first broken rules of a case. escalated: the case broke rules that it had not broken
    before. closed: no further broken rule for the ruleset's quiet period."""
    case_id: Identifier
    """Same for all steps of one case."""
    card_id: CardId
    """The card whose case it is."""
    customer_id: Identifier
    """Whom the card belongs to."""
    payment_id: Identifier
    """The payment that caused this step (on closed: the last one of the case)."""
    score: Score
    rules: tuple[BrokenRule, ...]
    """opened, escalated: the rules newly broken by this step; closed: every rule of the case."""
    ruleset_version: Annotated[int, msgspec.Meta(ge=1)]
    """Version of the ruleset that judged the payment."""
    features: Annotated[dict[str, int | float | str | tuple[str, ...] | None], MASKED]
    """The payment's features as the rules saw them, by name."""
    payments: tuple[Identifier, ...]
    """Evidence: ids of the suspicious payments of the case so far, oldest first, the latest 50."""
    payment_count: Annotated[int, msgspec.Meta(ge=1)]
    """How many payments of the case broke a rule so far, also those beyond the latest 50."""
    amount_minor: MinorUnits
    """Sum of those payments, in minor units of `currency` (the base currency)."""
    currency: Currency
