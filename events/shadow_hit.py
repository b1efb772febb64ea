"""What a rule in shadow would have said."""

from typing import Annotated, Literal

import msgspec

from events.base import CardId, Event, Identifier


class ShadowHit(Event, frozen=True, kw_only=True):
    """A payment broke rules that are in shadow. Keyed by `card_id`; never an alert."""

    event_type: Literal["shadow_hit"] = "shadow_hit"
    """Always `shadow_hit`."""
    card_id: CardId
    """The card that was used."""
    payment_id: Identifier
    """The payment that broke them."""
    ruleset_version: Annotated[int, msgspec.Meta(ge=1)]
    """Version of the ruleset that judged the payment."""
    rules: tuple[str, ...]
    """Names of the shadow rules, in the ruleset's order."""
