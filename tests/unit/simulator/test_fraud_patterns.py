"""Each fraud pattern has the property that it is named for."""

from itertools import pairwise
from random import Random

import pytest

from local.simulator.payments.drafts import Draft, home_of
from local.simulator.payments.fraud_patterns import PATTERNS, Pattern, Victim
from local.simulator.world.places import distance_km
from local.simulator.world.population import RARE_SHOPS, Population

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
START_MS = 1_000 * HOUR_MS
POPULATION = Population()
CARD = POPULATION.card(7)
VICTIM = Victim(CARD, home_of(CARD), frozenset({CARD.home.country}))


def incidents(name: str, count: int = 60, room_ms: int = 24 * HOUR_MS) -> list[list[Draft]]:
    """Return this many incidents of one pattern, from different seeds."""
    [pattern] = [pattern for pattern in PATTERNS if pattern.name == name]
    return [pattern.generate(Random(seed), POPULATION, VICTIM, START_MS, room_ms) for seed in range(count)]


def length_ms(drafts: list[Draft]) -> int:
    """Return the time from the first payment to the last."""
    return drafts[-1].at_ms - drafts[0].at_ms


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_incident_begins_at_its_start_and_ends_within_its_room(pattern: Pattern):
    for room_ms in (pattern.shortest_ms, 40_000, 24 * HOUR_MS):
        for drafts in incidents(pattern.name, room_ms=room_ms):
            assert drafts[0].at_ms == START_MS
            assert [draft.at_ms for draft in drafts] == sorted(draft.at_ms for draft in drafts)
            assert length_ms(drafts) <= room_ms
            assert {draft.card for draft in drafts} == {CARD}


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_same_seed_gives_the_same_incident(pattern: Pattern):
    assert incidents(pattern.name, count=5) == incidents(pattern.name, count=5)


def test_card_testing_is_small_payments_some_declined_then_a_large_one():
    for *tests, goal in incidents("card_testing"):
        assert len(tests) >= 7
        assert len({draft.merchant for draft in tests}) == len(tests)
        assert length_ms([*tests, goal]) <= 2 * MINUTE_MS
        assert all(draft.online and draft.euro_cents <= 3_00 for draft in tests)
        assert sum(draft.declined for draft in tests) >= 3
        assert goal.euro_cents >= 200_00
        assert not goal.declined


def test_velocity_burst_is_many_payments_of_usual_size_in_minutes():
    for drafts in incidents("velocity_burst"):
        assert len(drafts) >= 9
        assert length_ms(drafts) <= 4 * MINUTE_MS
        assert all(draft.euro_cents >= min(20_00, 0.8 * CARD.usual_euro_cents) for draft in drafts)


def test_impossible_travel_is_faster_than_any_airliner():
    for drafts in incidents("impossible_travel"):
        first, *others = drafts
        assert not any(draft.online for draft in drafts)
        for other in others:
            here, there = first.place, other.place
            km = distance_km(here.latitude, here.longitude, there.latitude, there.longitude)
            assert km / ((other.at_ms - first.at_ms) / HOUR_MS) > 900


def test_sudden_high_amount_is_many_times_the_usual_in_a_rare_category():
    usual_categories = {merchant.category for merchant in CARD.shops + CARD.sites}
    for drafts in incidents("sudden_high_amount"):
        for draft in drafts:
            assert draft.euro_cents >= 12 * CARD.usual_euro_cents
            assert draft.merchant.category in RARE_SHOPS
            assert draft.merchant.category not in usual_categories


def test_account_takeover_has_a_country_and_device_new_to_the_card():
    for drafts in incidents("new_country_and_device"):
        assert len(drafts) >= 3
        assert length_ms(drafts) <= 5 * MINUTE_MS
        assert {draft.place.city.country for draft in drafts}.isdisjoint(VICTIM.countries)
        assert len({draft.device_id for draft in drafts} - {CARD.phone, CARD.browser}) == 1
        assert all(draft.online for draft in drafts)
        assert all(earlier.at_ms < later.at_ms for earlier, later in pairwise(drafts))
