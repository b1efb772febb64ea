"""Versions of a customer: which ones are kept, and which one is valid at an event time. Knows no Flink."""

from zoneinfo import ZoneInfo

import msgspec

from udfs.notifications.quiet_hours import time_zone

MOST_VERSIONS = 16
"""Versions of the customer ahead of the watermark; beyond, the second oldest replaces the oldest at once."""

_UTC = ZoneInfo("UTC")


class Contact(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A version of a customer, reduced to what messages depend on."""

    lsn: int
    """Log sequence number; a greater one is a later version."""
    valid_from: int
    """Event time from which the version is valid."""
    deleted: bool
    opted_out: bool
    name: str
    address: str
    language: str
    time_zone: str

    @property
    def zone(self) -> ZoneInfo:
        """The customer's time zone; UTC if no zone has that name."""
        return time_zone(self.time_zone) or _UTC


def with_version(contacts: tuple[Contact, ...], contact: Contact) -> tuple[Contact, ...]:
    """Return the versions with another one, by lsn and by time; unchanged if it will never be valid."""
    if any(each.lsn >= contact.lsn and each.valid_from <= contact.valid_from for each in contacts):
        return contacts
    # An older version that would become valid later never becomes valid.
    others = [each for each in contacts if each.lsn > contact.lsn or each.valid_from < contact.valid_from]
    oldest, *rest = sorted((*others, contact), key=lambda each: each.lsn)
    if len(rest) < MOST_VERSIONS:
        return oldest, *rest
    return msgspec.structs.replace(rest[0], valid_from=oldest.valid_from), *rest[1:]


def valid_at(contacts: tuple[Contact, ...], moment: int) -> Contact | None:
    """Return the newest of the versions that are valid at an event time; None if none is."""
    return next((each for each in reversed(contacts) if each.valid_from <= moment), None)


def without_replaced(contacts: tuple[Contact, ...], now: int) -> tuple[Contact, ...]:
    """Return the version that is valid at an event time, and those that become valid later."""
    valid = sum(each.valid_from <= now for each in contacts)
    return contacts[max(valid - 1, 0) :]
