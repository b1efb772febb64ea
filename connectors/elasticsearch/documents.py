"""What does a record do to the search index? Decided here alone, for the job and for `ops search rebuild`."""

from dataclasses import dataclass

import msgspec

from connectors.kafka.topics import ENRICHED_ORDERS, FRAUD_ALERTS, Topic

DELETED_VERSION = 1 << 62
"""Greater than every version that a document can have: what was deleted isn't brought back by what came before."""


class NoDocumentError(ValueError):
    """A record means nothing to the index; the text says why."""


@dataclass(frozen=True, slots=True)
class Action:
    """Of one id the action with the greatest version counts, in whatever order they come."""

    alias: str
    id: str
    version: int
    document: bytes | None
    """JSON; without it the document is deleted."""

    def lines(self) -> bytes:
        """As a bulk request has it. A line break in JSON stands between tokens, where a blank says the same."""
        place = {"_index": self.alias, "_id": self.id, "version": self.version, "version_type": "external"}
        if self.document is None:
            return msgspec.json.encode({"delete": place}) + b"\n"
        document = self.document.replace(b"\n", b" ").replace(b"\r", b" ")
        return b"%b\n%b\n" % (msgspec.json.encode({"index": place}), document)


@dataclass(frozen=True)
class SearchIndex:
    """An alias through which everybody reads and writes, and where its documents come from: one an event."""

    alias: str
    topic: Topic
    id_field: str
    """Of the event: the document's id."""
    version_field: str | None
    """Of the event: of one id the greatest counts. None: what an id stands for never changes."""

    @property
    def can_delete(self) -> bool:
        """Whether a record without a value says which document is gone, which it does by its key."""
        return self.topic.key == self.id_field


SEARCH_INDICES = (
    SearchIndex("orders", ENRICHED_ORDERS, "order_id", "revision"),
    SearchIndex("fraud-alerts", FRAUD_ALERTS, "event_id", None),
)


class _Identity(msgspec.Struct):
    """The fields of all events of `SEARCH_INDICES` of which ids and versions are made; the rest is passed over."""

    event_id: str
    order_id: str = ""
    revision: int = 1


_BY_TOPIC = {index.topic.name: index for index in SEARCH_INDICES}
_IDENTITY = msgspec.json.Decoder(_Identity)


def action(topic: str, key: bytes | None, value: bytes | None) -> Action:
    """What a record of one of the indices' topics asks for; its value, if it has one, is known to be a good event.

    Raises:
        NoDocumentError: it has no value, and doesn't say by its key whose document that means.
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
