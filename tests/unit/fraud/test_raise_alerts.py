from events import FraudAlert
from tests.builders.events import event_time
from tests.builders.suspicions import element, suspicion
from tests.reference_runs.harness import KeyedHarness
from udfs.fraud.alerts import GRACE_MS
from udfs.fraud.raise_alerts import RaiseAlerts


def harness() -> KeyedHarness:
    return KeyedHarness(RaiseAlerts(address=lambda alert: alert), key=lambda element: element[0])


def steps(alerts: list[FraudAlert]) -> list[tuple[str, str]]:
    return [(alert.card_id, alert.event_type.removeprefix("fraud_alert.")) for alert in alerts]


def by_id(alert: FraudAlert) -> str:
    return alert.event_id


def test_cards_have_separate_cases() -> None:
    stage = harness()

    for card in ("c1", "c2", "c1"):
        stage.process(*element(suspicion("12:00:00", "burst", card=card)))

    assert steps(stage.outputs) == [("c1", "opened"), ("c2", "opened")]


def test_timer_closes_the_case_at_the_end_of_its_quiet_period() -> None:
    stage = harness()
    stage.process(*element(suspicion("12:00:00", "burst")))
    stage.process(*element(suspicion("12:10:00", "burst")))

    assert stage.advance_watermark(event_time("12:39:59.999")) == []
    assert steps(stage.advance_watermark(event_time("12:40:00"))) == [("c1", "closed")]


def test_case_that_continues_has_one_timer() -> None:
    stage = harness()

    for minute in range(10):
        stage.process(*element(suspicion(f"12:0{minute}:00", "burst")))

    assert stage.timers == {(event_time("12:39:00"), "c1")}


def test_restart_in_the_middle_gives_the_same_alerts() -> None:
    arrivals = [suspicion("12:00:00", "burst"), suspicion("12:01:00", "travel"), suspicion("12:02:00", "burst")]
    undisturbed, restarted = harness(), harness()
    for arrival in arrivals:
        undisturbed.process(*element(arrival))

    restarted.process(*element(arrivals[0]))
    after_restart = harness()
    after_restart.restore(restarted)
    for arrival in arrivals[1:]:
        after_restart.process(*element(arrival))

    assert restarted.outputs + after_restart.outputs == undisturbed.outputs


def test_payment_of_an_idle_partition_joins_its_case_within_an_hour() -> None:
    stage = harness()
    stage.process(*element(suspicion("12:00:00", "burst")))

    # The case of c1 ends at 12:30, and then at 12:40, by the payment that joins it.
    assert steps(stage.advance_watermark(event_time("13:29:59"))) == [("c1", "closed")]
    assert stage.process(*element(suspicion("12:10:00", "burst"))) == []
    assert stage.advance_watermark(event_time("13:40:00")) == []
    assert stage.is_empty()
    assert steps(stage.process(*element(suspicion("12:20:00", "burst")))) == [("c1", "opened")]
    assert steps(stage.advance_watermark(event_time("13:50:00"))) == [("c1", "closed")]
    assert stage.is_empty()


def test_slow_partition_changes_only_when_a_case_is_closed() -> None:
    arrivals = [suspicion("12:00:00", "burst"), suspicion("12:20:00", "travel"), suspicion("15:00:00", "burst")]
    slow = suspicion("12:05:00", "burst", card="of-the-slow-partition")
    held, in_step = harness(), harness()

    for arrival in (*arrivals, slow):
        held.process(*element(arrival))
        in_step.process(*element(arrival))
        in_step.advance_watermark(arrival.event_time)
    before = steps(held.outputs)
    for stage in (held, in_step):
        stage.advance_watermark(event_time("15:30:00"))

    assert before == [("c1", step) for step in ("opened", "escalated", "opened")] + [(slow.card_id, "opened")]
    assert sorted(held.outputs, key=by_id) == sorted(in_step.outputs, key=by_id)
    assert steps(held.outputs).count(("c1", "closed")) == 2


def test_state_and_timers_end_empty() -> None:
    stage = harness()
    for card in ("c1", "c2"):
        for at in ("12:00:00", "12:10:00", "15:00:00"):
            stage.process(*element(suspicion(at, "burst", card=card)))

    stage.advance_watermark(event_time("15:30:00") + GRACE_MS)

    assert stage.is_empty()
