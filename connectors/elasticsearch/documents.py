"""Converts records into actions on the search index, for the job and for `ops search rebuild` alike."""

from dataclasses import dataclass

import msgspec

from connectors.kafka.topics import ENRICHED_ORDERS, FRAUD_ALERTS, Topic

DELETED_VERSION = 1 << 62
"""Greater than every version that a document can have: an earlier version doesn't restore a deleted document."""


class NoDocumentError(ValueError):
    """A record has no meaning for the index; the text gives the reason."""


@dataclass(frozen=True, slots=True)
class Action:
    """If several actions have the same id, the highest version wins, whatever the order."""

    alias: str
    id: str
    version: int
    document: bytes | None
    """Document as JSON; None deletes it."""

    def lines(self) -> bytes:
        """Return the lines of a bulk request. A line break in JSON stands between tokens, where a blank is
        equivalent."""
        place = {"_index": self.alias, "_id": self.id, "version": self.version, "version_type": "external"}
        if self.document is None:
            return msgspec.json.encode({"delete": place}) + b"\n"
        document = self.document.replace(b"\n", b" ").replace(b"\r", b" ")
        return b"%b\n%b\n" % (msgspec.json.encode({"index": place}), document)


@dataclass(frozen=True)
class SearchIndex:
    """An alias for all reading and writing, and the topic of its documents: one document per event."""

    alias: str
    topic: Topic
    id_field: str
    """Field of the event that is the document's id."""
    version_field: str | None
    """Field of the event that is the document's version; the greatest one wins. None if the document of an id never
    changes."""

    @property
    def can_delete(self) -> bool:
        """Whether a record without a value deletes the document that its key names."""
        return self.topic.key == self.id_field


SEARCH_INDICES = (
    SearchIndex("orders", ENRICHED_ORDERS, "order_id", "revision"),
    SearchIndex("fraud-alerts", FRAUD_ALERTS, "event_id", None),
)


class _Identity(msgspec.Struct):
    """Fields, of all events of `SEARCH_INDICES`, that make up ids and versions; other fields are ignored."""

    event_id: str
    order_id: str = ""
    revision: int = 1


_BY_TOPIC = {index.topic.name: index for index in SEARCH_INDICES}
_IDENTITY = msgspec.json.Decoder(_Identity)


def action(topic: str, key: bytes | None, value: bytes | None) -> Action:
    """Return the action for a record of one of the indices' topics; a value, if there is one, must be a valid event.

    Raises:
        NoDocumentError: the record has no value, and its key doesn't name a document.
    """
    index = _BY_TOPIC[topic]
    if value is None:
        return Action(index.alias, _deleted_id(index, key), DELETED_VERSION, None)
    identity = _IDENTITY.decode(value)
    version = getattr(identity, index.version_field) if index.version_field else 1
    return Action(index.alias, getattr(identity, index.id_field), version, value)


def _deleted_id(index: SearchIndex, key: bytes | None) -> str:
    if not index.can_delete:
        raise NoDocumentError(f"it has no value, and its key ({index.topic.key}) isn't the id of a document")
    try:
        text = (key or b"").decode()
    except UnicodeDecodeError as error:
        raise NoDocumentError(f"it has no value, and its key isn't UTF-8: {error}") from error
    if not text:
        raise NoDocumentError("it has neither a value nor a key")
    return text
