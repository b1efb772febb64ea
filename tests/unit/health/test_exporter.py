"""The exporter serves the last results of all checks, whatever the services do, and ends when it is asked to."""

import errno
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from connectors.kafka import topics
from connectors.postgres.captured_tables import SLOT
from jobs import flow
from ops.__main__ import main
from ops.capture.database_state import Slot
from ops.frontier.arithmetic import Frontier
from ops.frontier.arrows import Arrow
from ops.frontier.observer import Observer, Picture
from ops.health.check import YES_OR_NO, Check, Reading
from ops.health.checks import CHECKS
from ops.health.commands import chosen
from ops.health.measures.services import SERVICES
from ops.health.prometheus import exporter as exporter_module
from ops.health.prometheus.exporter import Exporter, serving
from ops.health.prometheus.metrics import DURATION, ENDED, FRONTIER, LEVEL, PAUSE, SINK_FRONTIER, gauge
from tests.builders.health import NOW, NOW_MS, checkpoint, checkpoints, job, live, measured, scope
from tests.e2e.deployment import wait_for
from tests.services.free_ports import free_port
from tests.services.service_process import HEARS_CTRL_C, NO_SERVICE_ANSWERS, running

END_SECONDS = 60
PROMPT_SECONDS = 10
"""Less than the 15 seconds after which a request to a silent Flink is given up."""
UNREAD = Slot(is_active=True, is_lost=False, retained_bytes=9_000_000, unread_bytes=250_000_000, limit="-1")

Samples = dict[tuple[str, ...], float]
"""Values by name and label values."""


def scraped(url: str) -> Samples:
    """Scrape an exporter; no series comes twice."""
    with urlopen(url, timeout=PROMPT_SECONDS) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        found = [((each.name, *each.labels.values()), each.value) for family in families for each in family.samples]
    assert len(found) == len(dict(found))
    return dict(found)


@contextmanager
def scraping(checks: list[Check]) -> Iterator[tuple[Exporter, str]]:
    """Serve an exporter of these checks on a free port."""
    exporter = Exporter(checks, pause=15)
    with serving(exporter, "127.0.0.1", free_port()) as url:
        yield exporter, url


def samples(checks: list[Check], **known: Any) -> Samples:
    """Return what is scraped after one evaluation with these answers."""
    with scraping(checks) as (exporter, url):
        exporter.evaluate(scope(**known))
        return scraped(url)


def test_each_result_has_its_value_in_base_units_and_its_level() -> None:
    checks = chosen(["job-interrupted", "checkpoint-duration", "capture-unread"])
    waiting = live(job("enrichment"), since=42, waiting=2)
    jobs = {"live_jobs": [live(), waiting], "checkpoints": [checkpoints(checkpoint(seconds=90))]}

    found = samples(checks, **jobs, shop_database=SimpleNamespace(slot=UNREAD))

    values = {key: value for key, value in found.items() if not key[0].startswith("millrace_health_")}
    assert values == {
        ("millrace_job_interrupted_seconds", "fraud_detection"): 0,
        ("millrace_job_interrupted_seconds", "enrichment"): 42,
        ("millrace_checkpoint_duration_ratio", "fraud_detection"): 0.9,
        ("millrace_capture_unread_bytes", SLOT): 250_000_000,
        (LEVEL, "job-interrupted", "fraud_detection"): 0,
        (LEVEL, "job-interrupted", "enrichment"): 1,
        (LEVEL, "checkpoint-duration", "fraud_detection"): 3,
        (LEVEL, "capture-unread", SLOT): 1,
    }


def test_evaluation_has_its_time_and_duration() -> None:
    before = time.time()

    found = samples([measured("lag", Reading("a", 1))])

    assert before <= found[ENDED,] <= time.time()
    assert 0 <= found[DURATION,] < END_SECONDS
    assert found[PAUSE,] == 15


def test_check_that_cannot_be_made_has_a_level_without_subject_and_no_value() -> None:
    found = samples([measured("lag", error=ConnectionError("no answer")), measured("age", Reading("a", 1))])

    assert found[LEVEL, "lag", ""] == 2
    assert found["millrace_age_seconds", "a"] == 1
    assert not [key for key in found if key[0] == "millrace_lag_seconds"]


def test_check_with_nothing_to_measure_is_well() -> None:
    assert samples([measured("lag")])[LEVEL, "lag", ""] == 0


def test_subject_that_vanished_has_no_metrics_any_more() -> None:
    with scraping(chosen(["job-interrupted"])) as (exporter, url):
        exporter.evaluate(scope(live_jobs=[live(), live(job("enrichment"))]))
        before = {key[-1] for key in scraped(url) if len(key) > 1}
        exporter.evaluate(scope(live_jobs=[live(job("enrichment"))]))
        after = {key[-1] for key in scraped(url) if len(key) > 1}

    assert before == {"fraud_detection", "enrichment"}
    assert after == {"enrichment"}


def test_subjects_of_one_name_are_one_series_with_the_worst_of_them() -> None:
    found = samples([measured("lag", Reading("a", 1), Reading("a", 30), Reading("a", 12))])

    assert found["millrace_lag_seconds", "a"] == 30
    assert found[LEVEL, "lag", "a"] == 3


def test_secret_in_a_subject_is_masked_and_details_are_not_exported() -> None:
    with scraping([measured("lag", Reading("token=hunter2", 30, "a detail"))]) as (exporter, url):
        exporter.evaluate(scope())
        with urlopen(url, timeout=PROMPT_SECONDS) as answer:
            text = answer.read().decode()

    assert 'subject="token=•••"' in text
    assert "hunter2" not in text
    assert "a detail" not in text


def test_frontiers_are_exported_but_none_of_what_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    minutes, payments = (
        Arrow(flow.WAREHOUSE, topics.REVENUE),
        Arrow(flow.WAREHOUSE, topics.PAYMENTS),
    )
    picture = Picture(NOW, {payments: Frontier(NOW_MS, NOW_MS), minutes: Frontier(NOW_MS - 1, NOW_MS - 60_000)})
    pictures = [picture, Picture(NOW, {payments: Frontier(unknown="no broker answers")})]
    monkeypatch.setattr(Observer, "observe", lambda *_: pictures.pop(0))
    exporter = Exporter([], 15, Observer())

    def exported() -> Samples:
        exporter.evaluate(scope())
        families = [each for each in exporter.collect() if each.name.startswith("millrace_frontier")]
        return {(sample.name, *sample.labels.values()): sample.value for each in families for sample in each.samples}

    assert exported() == {
        (FRONTIER, "warehouse", "payments"): NOW_MS / 1000,
        (FRONTIER, "warehouse", "revenue-per-minute"): (NOW_MS - 1) / 1000,
        (SINK_FRONTIER, "PostgreSQL"): NOW_MS / 1000 - 60,
    }
    assert exported() == {}


def test_before_the_first_evaluation_there_are_no_results_and_no_time() -> None:
    with scraping([measured("lag", Reading("a", 1))]) as (_, url):
        assert scraped(url) == {(PAUSE,): 15}


def test_evaluation_that_raises_leaves_results_and_time_as_they_were() -> None:
    readings = [Reading("a", 1)]
    check = Check("lag", "Is it late?", YES_OR_NO, lambda _: readings, None, 1, "It is late.", ("Hurry.",))
    with scraping([check]) as (exporter, url):
        exporter.evaluate(scope())
        before = scraped(url)
        readings[0] = None  # type: ignore[call-overload]  # fails outside the measure
        with pytest.raises(AttributeError):
            exporter.evaluate(scope())

        assert scraped(url) == before


def test_command_goes_on_after_an_evaluation_that_raises_and_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt

    def fail(*_: object) -> None:
        raise KeyError("odd")

    monkeypatch.setattr(exporter_module, "evaluate_all", fail)
    monkeypatch.setattr(exporter_module.time, "sleep", pause)

    done = CliRunner().invoke(main, ["health", "serve", "--address", f"127.0.0.1:{free_port()}", "--every", "7"])

    assert (done.exit_code, pauses) == (0, [7, 7])
    assert done.stderr.count("the checks were not evaluated: KeyError: 'odd'") == 2


def has_served(output: Path) -> bool:
    """Return whether the command has printed where it serves."""
    return re.search(r"^http://\S+/metrics has the results;", output.read_text(), re.MULTILINE) is not None


def test_command_serves_while_no_service_answers_and_ends_on_sigterm(tmp_path: Path) -> None:
    port, output = free_port(), tmp_path / "output"
    url = f"http://127.0.0.1:{port}/metrics"
    command = [sys.executable, "-m", "ops", "health", "serve", "--address", f"127.0.0.1:{port}"]

    with running(command, NO_SERVICE_ANSWERS, output) as process:
        wait_for("the command to serve", lambda: has_served(output), END_SECONDS)
        wait_for("an evaluation", lambda: (ENDED,) in scraped(url), END_SECONDS)
        found = scraped(url)
        process.send_signal(signal.SIGTERM)
        status = process.wait(PROMPT_SECONDS)

    levels = {key[1:]: level for key, level in found.items() if key[0] == LEVEL}
    silent = {subject for check, subject in levels if check == "service-silent"}
    assert silent == set(SERVICES)
    assert {levels["service-silent", subject] for subject in silent} == {3}
    others = {check.id for check in CHECKS} - {"service-silent", "disk-stack"}  # the last one asks no service
    assert {(each, ""): 2 for each in others}.items() <= levels.items()
    assert {check for check, _ in levels} == {check.id for check in CHECKS}
    assert status == 0
    assert output.read_text().count("\n") == 1


def test_command_ends_on_ctrl_c_while_it_waits_for_a_service(tmp_path: Path) -> None:
    port, output = free_port(), tmp_path / "output"
    command = [
        *HEARS_CTRL_C,
        sys.executable,
        "-m",
        "ops",
        "health",
        "serve",
        "--address",
        f"127.0.0.1:{port}",
    ]
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never answers
        rest = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with running(command, NO_SERVICE_ANSWERS | {"MILLRACE_FLINK_REST_URL": rest}, output) as process:
            silent.settimeout(END_SECONDS)
            with silent.accept()[0]:  # an evaluation is under way
                found = scraped(f"http://127.0.0.1:{port}/metrics")
                process.send_signal(signal.SIGINT)
                status = process.wait(PROMPT_SECONDS)

    assert (ENDED,) not in found
    assert status == 0


def test_only_the_chosen_checks_are_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    found: set[str] = set()

    def look(exporter: Exporter, _: object) -> None:
        found.update(family.name for family in exporter.collect())
        raise KeyboardInterrupt

    monkeypatch.setattr(Exporter, "evaluate", look)

    done = CliRunner().invoke(
        main, ["health", "serve", "--address", f"127.0.0.1:{free_port()}", "--only", "lag-records"]
    )

    assert done.exit_code == 0
    assert found == {LEVEL, ENDED, DURATION, PAUSE, "millrace_lag_records"}


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("127.0.0.1", "is in use, perhaps by another exporter"),
        ("192.0.2.1", f"can't be listened at ({errno.errorcode[errno.EADDRNOTAVAIL]})"),
    ],
)
def test_address_that_cannot_be_listened_at_is_named_with_what_to_do(host: str, reason: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"{host}:{other.getsockname()[1]}"
        done = CliRunner().invoke(main, ["health", "serve", "--address", address])

    reason = reason.replace("EADDRNOTAVAIL", "Cannot assign requested address")
    assert done.exit_code == 1
    assert done.output == f"Error: {address} {reason}: choose another address with --address HOST:PORT\n"


@pytest.mark.parametrize("address", ["9464", "host:", "host:many", "host:99999", "http://host:9464", "user@host:9464"])
def test_address_that_is_none_is_refused(address: str) -> None:
    done = CliRunner().invoke(main, ["health", "serve", "--address", address])

    assert done.exit_code == 2
    assert "write HOST:PORT, such as 127.0.0.1:9464" in " ".join(done.output.split())


def test_metrics_have_names_of_their_own_by_id_and_base_unit() -> None:
    names = {check.id: gauge(check) for check in CHECKS}

    assert len(set(names.values())) == len(CHECKS)
    assert all(re.fullmatch(r"millrace(_[a-z]+)+", name) for name in names.values())
    assert names["service-silent"] == "millrace_service_silent"
    assert names["lag-seconds"] == "millrace_lag_seconds"
    assert names["checkpoint-age"] == "millrace_checkpoint_age_seconds"
    assert names["late-share"] == "millrace_late_ratio"
    assert names["job-skew"] == "millrace_job_skew_ratio"
    assert names["dead-letters-waiting"] == "millrace_dead_letters_waiting"
