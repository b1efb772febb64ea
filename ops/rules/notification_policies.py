"""Description of a notification policy for its owner."""

from ops.formats import table
from udfs.notifications.notification_policy import KINDS, Policy


def policy_in_words(checked: Policy) -> str:
    """Return which messages the policy sends, when, and within which limits."""
    rows = [
        (
            kind,
            "yes" if rule.sent else "no",
            rule.template if rule.sent else "",
            "" if not rule.sent else "at once, always" if rule.critical else "in turn",
        )
        for kind in KINDS
        for rule in (checked.occasion[kind],)
    ]
    quiet = checked.quiet_hours
    return "\n".join(
        [
            table(("occasion", "sent", "template", "when"), rows),
            "",
            f"in turn: at most {checked.messages_per_hour} messages an hour and recipient, the rest as one digest; "
            + (f"nothing from {quiet.begin} to {quiet.end} where the recipient is" if quiet else "at any hour"),
            f"an occasion waits {checked.wait_for_customer_hours} hours for a customer who isn't known, then it is a "
            "dead letter",
        ]
    )
