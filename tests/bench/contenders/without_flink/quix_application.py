"""quixstreams, with its state in RocksDB and its changelog topics, at least once."""

import msgspec
from quixstreams import Application, State

from events import FraudAlert, Payment
from tests.bench.contenders.peer_logic import Past, alert, features, remember, rules
from tests.bench.contenders.settings import Run
from udfs.fraud.alerts import CASE_STATE

_decode_payment, _encode = msgspec.json.Decoder(Payment).decode, msgspec.json.Encoder().encode
_decode_day, _encode_day = msgspec.msgpack.Decoder(list[Past]).decode, msgspec.msgpack.Encoder().encode
_rules = rules()


def judge(value: bytes, state: State) -> list[FraudAlert]:
    """Return the alerts that a payment raises."""
    payment = _decode_payment(value)
    written = state.get_bytes("day")
    day, last = remember(_decode_day(written) if written else [], payment)
    state.set_bytes("day", _encode_day(day))
    before = state.get_bytes("cases")
    cases, raised = alert(_rules, payment, features(day, last), CASE_STATE.decode(before))
    if raised or cases:
        state.set_bytes("cases", CASE_STATE.encode(cases))
    return [raised] if raised else []


def main() -> None:
    """Judge payments from the beginning of the topic, until the process is stopped."""
    run = Run.from_environment()
    application = Application(
        broker_address=run.bootstrap_servers,
        consumer_group=run.group,
        auto_offset_reset="earliest",
        state_dir=run.folder / "state",
        commit_interval=run.checkpoint_seconds,
        loglevel="WARNING",
    )
    payments = application.topic(run.payments, value_deserializer="bytes", key_deserializer="bytes")
    alerts = application.topic(run.alerts, value_serializer="bytes", key_serializer="bytes")
    stream = application.dataframe(payments)
    stream = stream.apply(judge, stateful=True, expand=True)
    stream = stream.apply(_encode)
    stream.to_topic(alerts)
    application.run()


if __name__ == "__main__":
    main()
