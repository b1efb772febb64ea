"""Submissions that are refused: of a job that runs already, and of one without Kafka."""

from dataclasses import replace

import pytest

from connectors.kafka import client
from connectors.settings import Settings
from local.stack.supervisor import Stack
from ops.jobs.cluster_jobs import all_jobs
from ops.jobs.submit import SubmitError, submit
from ops.topics import apply as topic_operations
from tests.e2e.deployment import Deployment
from tests.services.free_ports import free_port


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    """The shared stack with its topics."""
    settings = stack.setup.settings
    topic_operations.apply(settings)
    return settings


def test_running_job_is_not_submitted_twice(settings: Settings) -> None:
    deployment = Deployment(settings, "twice", job="order_enrichment")
    try:
        deployment.start()
        with pytest.raises(SubmitError, match=rf"order_enrichment runs already \({deployment.job_id}\), for twice\."):
            deployment.start()
    finally:
        deployment.cancel()


def test_submit_without_kafka_submits_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CONNECT_SECONDS", 1.0)
    unused_address = f"127.0.0.1:{free_port()}"
    before = len(all_jobs(settings))

    with pytest.raises(ConnectionError, match=f"no Kafka broker answers at {unused_address}"):
        submit("order_enrichment", replace(settings, kafka_bootstrap_servers=unused_address))

    assert len(all_jobs(settings)) == before
