"""Customers and cards of the simulated world, and finding them by id."""

import pytest

from local.simulator.world.places import CITIES, activity, distance_km, in_base, in_currency, world_activity
from local.simulator.world.population import EVERYDAY_SHOPS, EVERYDAY_SITES, Population, customer_of, first_card_of

HOUR_MS = 3_600_000


def test_same_card_is_the_same_in_every_population():
    # given
    one, other = Population(), Population()

    # when
    in_order = [one.card(number) for number in range(100)]
    backwards = [other.card(number) for number in reversed(range(100))]

    # then
    assert in_order == backwards[::-1]
    assert one.products == other.products


def test_customer_is_found_by_id_and_has_at_most_two_cards():
    # given
    population = Population()

    # when
    owners = [customer_of(number) for number in range(10)]

    # then
    assert owners == [0, 0, 1, 2, 3, 4, 4, 5, 6, 7]
    assert [first_card_of(customer) for customer in range(8)] == [0, 2, 3, 4, 5, 7, 8, 9]
    assert population.card_of("customer-0000004") == population.card(5)


@pytest.mark.parametrize("customer_id", ["card-0000004", "customer-", "customer-four", ""])
def test_id_of_no_customer_is_a_key_error(customer_id):
    with pytest.raises(KeyError):
        Population().card_of(customer_id)


def test_customers_live_and_shop_in_their_home_city():
    # given
    population = Population()
    cards = [population.card(number) for number in range(300)]

    # then
    for card in cards:
        assert distance_km(card.latitude, card.longitude, card.home.latitude, card.home.longitude) < 20
        assert {shop.country for shop in card.shops} == {card.home.country}
        assert {shop.category for shop in card.shops} <= EVERYDAY_SHOPS.keys()
        assert {site.category for site in card.sites} <= EVERYDAY_SITES.keys()
    assert len({card.home.name for card in cards}) > 15


def test_money_is_converted_at_fixed_rates_into_minor_units():
    assert in_currency(10_00, "EUR") == 10_00
    assert in_currency(9_20, "USD") == 10_00
    assert in_currency(6_00, "JPY") == 1_000
    assert in_base(1_000, "JPY") == 6_00
    assert in_base(1, "JPY") == 1


def test_activity_follows_the_local_time_of_day():
    # given
    noon_utc, night_utc = 12 * HOUR_MS, 3 * HOUR_MS
    berlin, tokyo = (next(city for city in CITIES if city.name == name) for name in ("Berlin", "Tokyo"))

    # then
    assert activity(berlin.utc_offset_hours, noon_utc) > 10 * activity(berlin.utc_offset_hours, night_utc)
    assert activity(tokyo.utc_offset_hours, night_utc) > activity(berlin.utc_offset_hours, night_utc)
    assert world_activity(noon_utc) > 3 * world_activity(night_utc)


def test_activity_is_continuous_over_time():
    assert activity(1, 7 * HOUR_MS - 1) == pytest.approx(activity(1, 7 * HOUR_MS), abs=1e-6)


def test_distance_from_berlin_to_paris_is_known():
    assert distance_km(52.52, 13.405, 48.8566, 2.3522) == pytest.approx(877.5, abs=1)
