"""The results file has the measurements, and the targets that are reached."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from tests.bench.reports.plot_data import Bar, Line, growth_lines, latency_lines, throughput_bars
from tests.bench.reports.results import (
    Growth,
    Latency,
    Machine,
    Recovery,
    Report,
    Safety,
    SustainableRate,
    Target,
    Throughput,
    read,
    write,
)
from tests.bench.reports.targets import compare, rows

MACHINE = Machine(
    processor="abacus", cores=2, memory_bytes=2**34, kernel="6.1", busy_before=0.01, versions={"Flink": "2.3.0"}
)


def throughput(contender: str, a_cpu_second: float, parallelism: int = 1) -> Throughput:
    """Return the throughput of a contender."""
    return Throughput(
        contender=contender,
        parallelism=parallelism,
        payments=10,
        wall_seconds=10,
        records_a_second=a_cpu_second,
        records_a_cpu_second=a_cpu_second,
        cores=1,
        peak_bytes=10**9,
    )


def latency(load: float, p99_ms: float, when: str = "steady", contender: str = "millrace", alerts: int = 9) -> Latency:
    """Return the latency of a contender; all percentiles but one are the same."""
    return Latency(
        contender=contender,
        load=load,
        records_a_second=1_000,
        when=when,
        alerts=alerts,
        p50_ms=5,
        p95_ms=5,
        p99_ms=p99_ms,
        p999_ms=p99_ms,
        most_ms=p99_ms,
    )


def growth(grows: str, a_cpu_second: float, *, cards: int = 1, day_events: int = 1, rules: int = 1) -> Growth:
    """Return a point of growth, with state on the heap."""
    return Growth(
        grows=grows,
        cards=cards,
        day_events=day_events,
        rules=rules,
        backend="hashmap",
        payments=100,
        records_a_second=a_cpu_second,
        records_a_cpu_second=a_cpu_second,
        peak_bytes=10**9,
        state_bytes=cards * 100,
        checkpoint_seconds=0.1,
    )


def report(**measured: object) -> Report:
    """Return a report with some measurements."""
    return Report(measured_at="2026-01-01T00:00:00Z", machine=MACHINE, **measured)  # type: ignore[arg-type]


def found(measured: Report) -> dict[str, Target]:
    """Return the targets by their subject."""
    return {each.what: each for each in compare(measured)}


def test_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    full = report(
        throughput=[throughput("millrace", 3)],
        latency=[latency(0.5, 9)],
        sustainable=[SustainableRate(contender="millrace", records_a_second=9, seconds=60)],
        growth=[growth("cards", 5)],
        safety=[
            Safety(safety="format", how="json", records_a_second=1, records_a_cpu_second=1, checkpoints=0, ratio=1)
        ],
        recovery=[
            Recovery(
                killed="TaskManager",
                records_a_second=1,
                seconds_to_alert=2,
                seconds_to_normal=3,
                alerts=4,
                missing=0,
                repeated=1,
            )
        ],
        targets=[Target(what="speed", wanted=1.5, is_least=True, measured=None)],
    )

    write(full, tmp_path / "results.json")

    assert read(tmp_path / "results.json") == full


def test_incomplete_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"measured_at": "2026-01-01T00:00:00Z"}')

    with pytest.raises(msgspec.ValidationError, match="machine"):
        read(tmp_path / "results.json")


def test_ratio_uses_one_core_and_is_reached_at_the_target() -> None:
    results = [throughput("millrace", 300), throughput("bytewax", 200), throughput("quixstreams", 100)]
    results += [throughput("millrace", 900, parallelism=2), throughput("plain loop", 1, parallelism=2)]

    of = found(report(throughput=results))

    bytewax, quix = of["payments a CPU-second, to bytewax"], of["payments a CPU-second, to quixstreams"]
    assert (bytewax.wanted, bytewax.measured, bytewax.is_reached) == (1.5, 1.5, True)
    assert (quix.wanted, quix.measured, quix.is_reached) == (4.0, 3.0, False)
    assert of["payments a CPU-second, to plain loop"].is_reached is None


@pytest.mark.parametrize(("p99_ms", "is_reached"), [(100.0, True), (100.1, False)])
def test_latency_target_uses_half_the_rate_without_disturbance(p99_ms: float, is_reached: bool) -> None:
    results = [latency(0.25, 1), latency(0.5, 500, when="checkpoint"), latency(0.5, 1, contender="bytewax")]

    target = found(report(latency=[*results, latency(0.5, p99_ms)]))["p99 at half the sustainable rate, ms"]

    assert (target.measured, target.is_reached) == (p99_ms, is_reached)


def test_ten_times_as_many_rules_may_cost_at_most_ten_times_as_much() -> None:
    what = "growth of the cost of a payment, to the growth of rules (worst neighbours)"
    linear = [growth("rules", 1_000, rules=1), growth("rules", 900, rules=10), growth("rules", 90, rules=100)]
    worse = [growth("rules", 1_000, rules=1), growth("rules", 50, rules=10), growth("rules", 50, rules=100)]

    assert found(report(growth=linear))[what].measured == pytest.approx(1.0)
    assert found(report(growth=worse))[what].measured == pytest.approx(2.0)
    assert found(report(growth=worse))[what].is_reached is False


def test_throughput_is_flat_if_most_remains_with_the_most_cards() -> None:
    what = "payments a CPU-second with the most cards, to the fewest (hashmap)"
    flat = [growth("cards", 1_000, cards=1_000), growth("cards", 300, cards=100), growth("cards", 800, cards=100_000)]

    target = found(report(growth=[*flat, growth("rules", 1)]))[what]
    assert (target.measured, target.is_reached) == (pytest.approx(800 / 300), True)
    assert found(report(growth=flat[::2]))[what].measured == pytest.approx(0.8)


def test_target_without_a_measurement_is_neither_reached_nor_missed() -> None:
    lines = rows(compare(report()))

    assert {row[2:] for row in lines} == {("-", "-")}
    assert lines[0][:2] == ("payments a CPU-second, to bytewax", "≥ 1.5")


def test_bars_are_longest_first_and_in_one_order_for_all_cores() -> None:
    results = [throughput("bytewax", 100), throughput("millrace", 300), throughput("bytewax", 250, 2)]

    bars = throughput_bars([*results, throughput("millrace", 200, 2)])

    assert bars == {
        (1, 10): [Bar("millrace", 300, True), Bar("bytewax", 100, False)],
        (2, 10): [Bar("millrace", 200, True), Bar("bytewax", 250, False)],
    }


def test_ratios_are_of_the_same_topic() -> None:
    few = [replace(each, payments=5) for each in (throughput("millrace", 90), throughput("over windows", 30))]
    results = [throughput("millrace", 300), throughput("bytewax", 100), *few]

    measured = {target.what: target.measured for target in compare(report(throughput=results))}

    assert measured["payments a CPU-second, to over windows"] == 3.0
    assert measured["payments a CPU-second, to bytewax"] == 3.0
    assert list(throughput_bars(results)) == [(1, 10), (1, 5)]


def test_latency_has_a_line_for_each_load_and_disturbances_apart() -> None:
    results = [latency(0.8, 9), latency(0.25, 7), latency(0.5, 50, when="checkpoint")]
    results += [latency(0.8, 0, when="recovery", alerts=0), latency(0.5, 1, contender="bytewax")]

    assert latency_lines(results) == {
        "steady": [
            Line("25% load", ((0, 5), (1, 5), (2, 7), (3, 7))),
            Line("80% load", ((0, 5), (1, 5), (2, 9), (3, 9))),
        ],
        "checkpoint": [Line("50% load", ((0, 5), (1, 5), (2, 50), (3, 50)))],
    }


def test_line_of_growth_starts_at_the_smallest_value() -> None:
    results = [growth("cards", 5, cards=100), growth("cards", 6, cards=10), growth("rules", 7, rules=10)]

    assert growth_lines(results, lambda each: each.records_a_cpu_second) == {
        "cards": [Line("on the heap", ((10, 6), (100, 5)))],
        "events a card": [],
        "rules": [Line("on the heap", ((10, 7),))],
    }
