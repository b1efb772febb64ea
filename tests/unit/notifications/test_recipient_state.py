"""Bytes of a recipient's keyed state: savepoints hold them."""

from events import Occasion
from udfs.notifications.contacts import Contact
from udfs.notifications.state import (
    RECIPIENT_STATE,
    HeldMessage,
    Line,
    PendingEvent,
    Recipient,
    RecipientEvent,
    SentRecord,
)
from udfs.source_records import SourceRecord

RECORD = SourceRecord(
    topic="t", partition=1, offset=2, event_time=3_000, key=b"k", headers={"h": b"v", "n": None}, payload=b"{}"
)
ORDER = RecipientEvent(
    kind="order",
    event_id="e1",
    happened_at=3_000,
    subject_id="o1",
    amount_minor=40_00,
    currency="EUR",
    revision=2,
    lines=(Line(text="2 A book", number=1), Line(text="3 p2", number=2, known=False)),
    record=RECORD,
)
ALERT = RecipientEvent(
    kind="fraud_suspected",
    event_id="e2",
    happened_at=4_000,
    subject_id="c1",
    amount_minor=50_00,
    currency="EUR",
    revision=1,
    lines=(Line(text="many"),),
    record=RECORD,
)
CONTACT = Contact(
    lsn=7,
    valid_from=1_000,
    deleted=False,
    opted_out=True,
    name="Ada",
    address="a@example.org",
    language="de",
    time_zone="Europe/Berlin",
)
OCCASION = Occasion(
    kind="order_confirmed",
    occasion_id="e0",
    happened_at=2_000,
    subject_id="o0",
    amount_minor=10_00,
    currency="EUR",
    details=("1 A lamp",),
)
RECIPIENT = Recipient(
    contacts=(CONTACT,),
    queue=(PendingEvent(due_at=3_500, event=ORDER),),
    awaiting_customer=(PendingEvent(due_at=4_000, event=ALERT),),
    held=(HeldMessage(occasion=OCCASION, since=2_500, cause="quiet hours"),),
    release_at=9_000,
    sent_at=(1_500, 2_500),
    sent_records=(SentRecord(key=b"12345678", until=5_000, seen=2, decided=1, unnamed=(2,)),),
    next_at=3_500,
)
SAVED_RECIPIENT = (
    b"\x01\x98\x91\x98\x07\xcd\x03\xe8\xc2\xc3\xa3Ada\xada@example.org\xa2de\xadEurope/Berlin"
    b"\x91\x92\xcd\r\xac\x99\xa5order\xa2e1\xcd\x0b\xb8\xa2o1\xcd\x0f\xa0\xa3EUR\x02"
    b"\x92\x93\xa82 A book\x01\xc3\x93\xa43 p2\x02\xc2"
    b"\x97\xa1t\x01\x02\xcd\x0b\xb8\xc4\x01k\x82\xa1h\xc4\x01v\xa1n\xc0\xc4\x02{}"
    b"\x91\x92\xcd\x0f\xa0\x99\xaffraud_suspected\xa2e2\xcd\x0f\xa0\xa2c1\xcd\x13\x88\xa3EUR\x01"
    b"\x91\x93\xa4many\x00\xc3"
    b"\x97\xa1t\x01\x02\xcd\x0b\xb8\xc4\x01k\x82\xa1h\xc4\x01v\xa1n\xc0\xc4\x02{}"
    b"\x91\x93\x87\xa4kind\xaforder_confirmed\xaboccasion_id\xa2e0\xabhappened_at\xcd\x07\xd0"
    b"\xaasubject_id\xa2o0\xacamount_minor\xcd\x03\xe8\xa8currency\xa3EUR\xa7details\x91\xa81 A lamp"
    b"\xcd\t\xc4\xabquiet hours\xcd#(\x92\xcd\x05\xdc\xcd\t\xc4"
    b"\x91\x95\xc4\x0812345678\xcd\x13\x88\x02\x01\x91\x02\xcd\r\xac"
)
"""The same recipient, as savepoints of version 1 hold it."""


def test_recipient_of_version_1_savepoints_is_read_and_written_unchanged() -> None:
    assert RECIPIENT_STATE.decode(SAVED_RECIPIENT) == RECIPIENT
    assert RECIPIENT_STATE.encode(RECIPIENT) == SAVED_RECIPIENT
