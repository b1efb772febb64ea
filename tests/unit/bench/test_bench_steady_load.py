"""Loads: the times of their payments, the latency of their alerts, and the effect of a killed process."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import msgspec
import pytest

from events import Payment
from tests.bench.contenders.kinds import ContenderError
from tests.bench.measurements import latency, recovery
from tests.bench.payments.even import CYCLE, DAY_MS, QUICK_BURST, Stream
from tests.bench.payments.expected_alerts import expected_alerts
from tests.bench.runs import steady_load
from tests.bench.runs.steady_load import Live, Load, Sample, grows, percentile

STREAM = Stream(cards=500, day_events=9, start_ms=1_700_000_000_000)
EXTENT = latency.Extent(
    first_rate=1_000, step=2.0, step_seconds=5.0, held_seconds=60.0, loads=(0.5,), load_seconds=10.0
)


def sent(first: int, end: int) -> list[Payment]:
    """Return the payments of the stream."""
    return [msgspec.json.decode(record.value, type=Payment) for record in STREAM.records(first, end)]


def load(milliseconds: Sequence[float], *, rate: float = 1_000, begin: float = 100.0, repeated: int = 0) -> Load:
    """Return a load with one alert a tenth of a second, each with one of these latencies."""
    samples = [Sample(begin + n / 10, begin + n / 10 + ms / 1000) for n, ms in enumerate(milliseconds)]
    return Load(rate, begin, len(milliseconds) / 10, samples, repeated, 0.0)


def test_stream_has_one_alert_a_cycle_at_its_last_payment_and_no_other() -> None:
    end = 40 * CYCLE

    alerts = expected_alerts(sent(0, end))

    numbers = sorted(int(alert.payment_id.rpartition("-")[2]) for alert in alerts.values())
    assert numbers == list(range(CYCLE - 1, end, CYCLE))
    assert expected_alerts(STREAM.bursting(0, end)) == alerts


def test_stream_continues_where_it_was_left() -> None:
    whole, parts = sent(0, 6 * CYCLE), [*sent(0, 2 * CYCLE), *sent(2 * CYCLE, 6 * CYCLE)]

    assert parts == whole
    assert [each.event_time for each in whole] == sorted(each.event_time for each in whole)
    assert len({each.payment_id for each in whole}) == len(whole)


def test_cards_of_a_stream_have_their_number_of_payments_a_day() -> None:
    payments = sent(0, 60 * CYCLE)
    ordinary = [each for each in payments if not each.card_id.startswith("burst")]
    last_day = [each for each in ordinary if each.event_time > ordinary[-1].event_time - DAY_MS]

    assert set(Counter(each.card_id for each in last_day).values()) == {STREAM.day_events}
    assert len(payments) - len(ordinary) == 60 * QUICK_BURST


def test_growing_lag_is_distinguished_from_constant_lag() -> None:
    assert not grows(load([40.0] * 100))
    assert not grows(load([900.0] * 100))
    assert not grows(load([5_000.0] * 25 + [30.0] * 75)), "the beginning counts for nothing"
    assert grows(load([10.0 * n for n in range(100)]))
    assert not grows(load([10.0 if n % 10 else 900.0 for n in range(100)])), "a pause now and then is no growth"


def test_percentile_is_a_measured_value() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(1, 1_001)], 0.99) == 990.0
    assert percentile([7.0], 0.999) == 7.0
    assert percentile([], 0.5) == 0.0


@dataclass
class Machine:
    """Keeps up with some rate for some seconds, and for a minute with another one."""

    keeps: float
    holds: float
    contender: str = "millrace"
    loads: list[tuple[float, float]] = field(default_factory=list)

    def load(self, rate: float, seconds: float) -> Load:
        """Return a load whose lag grows if the rate is beyond what the contender keeps up with."""
        self.loads.append((rate, seconds))
        most = self.holds if seconds == EXTENT.held_seconds else self.keeps
        return load([20.0 * n if rate > most else 20.0 for n in range(round(seconds * 10))], rate=rate)


def test_sustainable_rate_is_the_highest_that_is_held() -> None:
    machine = Machine(keeps=13_000, holds=12_000)

    result = latency.sustainable_rate(cast("Live", machine), EXTENT)

    assert (result.records_a_second, result.seconds) == (12_000, 60.0)
    search = [(1_000, 5.0), (1_000, 5.0), (2_000, 5.0), (4_000, 5.0), (8_000, 5.0), (16_000, 5.0), (12_000, 5.0)]
    assert machine.loads == [*search, (12_000, 60.0)]


def test_rate_that_is_not_held_is_lowered() -> None:
    result = latency.sustainable_rate(cast("Live", Machine(keeps=9_000, holds=6_500)), EXTENT)

    assert result.records_a_second == pytest.approx(8_000 * 0.9 * 0.9)


def test_job_that_holds_no_rate_is_an_error() -> None:
    with pytest.raises(ContenderError, match="doesn't hold 1,000 payments a second"):
        latency.sustainable_rate(cast("Live", Machine(keeps=500, holds=500)), EXTENT)


def test_recovery_is_timed_to_the_first_alert_and_to_usual_lateness() -> None:
    # A process is killed after 5 s; alerts due shortly before or in the 4 s after arrive then, later ones as before.
    milliseconds = [20.0] * 48 + [4_000.0 - 100.0 * n for n in range(-2, 40)] + [20.0] * 60

    result = recovery.outcome("TaskManager", load(milliseconds, repeated=3), 105.0)

    assert result.seconds_to_alert == pytest.approx(4.0)
    assert result.seconds_to_normal == pytest.approx(4.0)
    assert (result.alerts, result.missing, result.repeated) == (150, 0, 3)


def test_recovery_ends_no_earlier_than_the_first_alert() -> None:
    # Alerts are usually 2 s late; of a process killed after 5 s, those due then arrive 2.2 s late.
    result = recovery.outcome("Python worker", load([2_000.0] * 50 + [2_200.0] * 50), 105.0)

    assert result.seconds_to_normal == result.seconds_to_alert == pytest.approx(2.2)


def test_job_that_stays_late_is_not_back_to_normal() -> None:
    result = recovery.outcome("TaskManager", load([20.0] * 50 + [3_000.0] * 50), 105.0)

    assert result.seconds_to_normal is None
    assert recovery.rows([result])[0][3] == "-"


def test_latencies_are_compared_with_the_plain_loop() -> None:
    ours = steady_load.latency("millrace", 0.5, 1_000, "steady", [10.0, 20.0, 30.0])
    floor = steady_load.latency("plain loop", 0.5, 1_000, "steady", [2.0, 4.0, 6.0])

    assert [row[-1] for row in latency.rows([ours, floor])] == ["5.0", "1.0"]
    assert latency.rows([ours])[0][-1] == "-"
