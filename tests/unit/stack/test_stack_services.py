"""Order in which services start and stop, and what is done side by side."""

import itertools
import threading
from pathlib import Path

import pytest

from connectors.settings import Settings
from local.settings import LocalSettings
from local.stack.dependency_order import GivenUpError, run_in_dependency_order
from local.stack.service import Service
from local.stack.services import declared as services
from local.stack.services import flink_cluster
from local.stack.services.flink_cluster import FlinkConfigurationError
from local.stack.services.java_process import property_value
from local.stack.setup import Setup
from ops.jobs import submit
from toolchain import flink_conf

DEADLINE_SECONDS = 10


@pytest.fixture
def declared(tmp_path: Path) -> tuple[Service, ...]:
    return services.declare(Setup(Settings(), LocalSettings(), tmp_path), task_managers=2)


def names(chosen: list[Service]) -> list[str]:
    return [service.name for service in chosen]


def test_services_start_after_the_services_that_they_need(
    declared: tuple[Service, ...],
) -> None:
    order = names(services.in_start_order(reversed(declared)))

    assert order.index("jobmanager") < min(order.index("taskmanager-1"), order.index("taskmanager-2"))
    assert order.index("connect") > max(order.index("kafka"), order.index("postgres"))
    assert sorted(order) == [
        "connect",
        "elasticsearch",
        "jobmanager",
        "kafka",
        "mailbox",
        "postgres",
        "registry",
        "taskmanager-1",
        "taskmanager-2",
    ]


def test_order_of_a_single_service_is_that_service(declared: tuple[Service, ...]) -> None:
    alone = next(service for service in declared if service.name == "taskmanager-1")

    assert names(services.in_start_order([alone])) == ["taskmanager-1"]


def test_needed_services_of_a_service_are_included(declared: tuple[Service, ...]) -> None:
    assert names(services.with_needed(declared, ["taskmanager-2"])) == ["jobmanager", "taskmanager-2"]


def test_independent_services_start_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=DEADLINE_SECONDS)

    run_in_dependency_order(["a", "b"], {"a": [], "b": []}, lambda _name, _give_up: both.wait() and None)

    assert not both.broken


def test_service_waits_for_those_that_it_needs() -> None:
    done: list[str] = []

    run_in_dependency_order(["a", "b", "c"], {"a": [], "b": ["a"], "c": ["b"]}, lambda name, _: done.append(name))

    assert done == ["a", "b", "c"]


def test_failure_stops_other_starts_and_skips_dependent_services() -> None:
    started: list[str] = []

    def act(name: str, give_up: threading.Event) -> None:
        started.append(name)
        if name == "broken":
            raise ValueError("it broke")
        assert give_up.wait(DEADLINE_SECONDS)
        raise GivenUpError(name)

    with pytest.raises(ValueError, match="it broke"):
        run_in_dependency_order(["slow", "broken", "after"], {"slow": [], "broken": [], "after": ["broken"]}, act)

    assert sorted(started) == ["broken", "slow"]


def test_setting_that_the_stack_computes_can_not_be_configured() -> None:
    with pytest.raises(FlinkConfigurationError, match=r"rest.port can't be set"):
        flink_cluster.effective_configuration("rest.port: 8081\n", {"rest.port": "18081"})


def test_cluster_has_a_slot_for_each_job_and_one_for_a_pipeline() -> None:
    configuration = flink_conf.parse(flink_conf.CONFIGURATION.read_text())

    slots = int(LocalSettings().flink_task_managers) * int(configuration["taskmanager.numberOfTaskSlots"])

    # Among the jobs is the one that runs pipelines.
    assert slots >= len(submit.submittable_jobs())


def test_every_setting_of_the_cluster_has_a_comment() -> None:
    lines = flink_conf.CONFIGURATION.read_text().splitlines()

    undocumented = [
        line
        for before, line in itertools.pairwise(lines)
        if line and not line.startswith("#") and not before.startswith("#")
    ]

    assert undocumented == []


def test_path_in_a_properties_file_is_written_as_java_reads_it() -> None:
    assert property_value(Path("/home/Jörg \\ 𝄞/state")) == "/home/J\\u00f6rg \\\\ \\ud834\\udd1e/state"
