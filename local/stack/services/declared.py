"""Declares all services of the stack, and sorts them into start order."""

from collections.abc import Iterable
from graphlib import TopologicalSorter

from local.stack.service import Service
from local.stack.services import (
    elasticsearch,
    flink_jobmanager,
    flink_taskmanager,
    kafka_broker,
    kafka_connect,
    mailbox,
    postgres,
    schema_registry,
)
from local.stack.setup import Setup


def declare(setup: Setup, task_managers: int) -> tuple[Service, ...]:
    """Declare all services."""
    return (
        kafka_broker.declare(setup),
        schema_registry.declare(setup),
        postgres.declare(setup),
        kafka_connect.declare(setup),
        elasticsearch.declare(setup),
        mailbox.declare(setup),
        flink_jobmanager.declare(setup),
        *(flink_taskmanager.declare(setup, number) for number in range(1, task_managers + 1)),
    )


def in_start_order(services: Iterable[Service]) -> list[Service]:
    """Return the services in start order, each after those of them that it needs.

    Raises:
        graphlib.CycleError: two need each other.
    """
    by_name = {service.name: service for service in services}
    needs = {name: [other for other in service.after if other in by_name] for name, service in by_name.items()}
    sorter = TopologicalSorter(needs)
    return [by_name[name] for name in sorter.static_order()]


def with_needed(services: Iterable[Service], names: Iterable[str]) -> list[Service]:
    """Return the services with these names and those that they need, in start order."""
    wanted: set[str] = set(names)
    ordered = in_start_order(services)
    for service in reversed(ordered):
        if service.name in wanted:
            wanted.update(service.after)
    return [service for service in ordered if service.name in wanted]
