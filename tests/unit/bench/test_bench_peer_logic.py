"""The peers of the benchmark compute the features that the fraud job computes."""

from collections import defaultdict
from itertools import islice

import msgspec
import pytest

from events import Payment
from local.oracles.features import InputEvent, ReferenceFeatures
from local.simulator.payment_service import PaymentOptions, generate
from tests.bench.contenders.peer_logic import Card, Past, features, remember
from udfs.fraud.features import payment_features


def test_incremental_and_computed_features_equal_the_reference() -> None:
    declared = payment_features()
    references: defaultdict[str, ReferenceFeatures] = defaultdict(lambda: ReferenceFeatures(declared))
    cards: defaultdict[str, Card] = defaultdict(Card)
    days: defaultdict[str, list[Past]] = defaultdict(list)
    # 40 cards over three days and a half: payments leave all windows, also that of a day
    options = PaymentOptions(start_ms=1_760_000_000_000, rate=0.02, seconds=300_000, cards=40, history_hours=0)

    compared = 0
    for outgoing in islice(generate(options), 5_000):
        payment = outgoing.event
        assert isinstance(payment, Payment)
        event = InputEvent(payment.event_time, payment.payment_id, msgspec.structs.asdict(payment))
        expected = references[payment.card_id].process(event).features
        days[payment.card_id], last = remember(days[payment.card_id], payment)
        for found in (cards[payment.card_id].features(payment), features(days[payment.card_id], last)):
            for name, value in zip((each.name for each in declared), found, strict=True):
                assert (
                    value == pytest.approx(expected[name], abs=1e-9)
                    if isinstance(value, float)
                    else (value == expected[name])
                ), name
        compared += 1

    assert compared == 5_000
