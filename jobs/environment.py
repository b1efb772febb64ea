"""How does a job get its Flink environment? The same way on a cluster and in a plain `python -m jobs.NAME`."""

import os
from pathlib import Path

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment

from connectors import flink_home
from connectors.settings import Settings
from connectors.topics import schema_variables

CONFIGURATION = Path(__file__).parent.parent / "flink-conf"

SQL_OPTIONS = {
    # Gives every operator of SQL a uid, by its place in the plan, so that its state is found again.
    "table.exec.uid.generation": "ALWAYS",
    "table.local-time-zone": "UTC",
}


def stream_environment(job: str) -> StreamExecutionEnvironment:
    """An environment for one job: under `flink run` the cluster's, otherwise a mini-cluster in this process."""
    submitted = "PYFLINK_GATEWAY_PORT" in os.environ
    configuration = Configuration()
    if not submitted:
        home = flink_home.assemble()
        home.use()
        os.environ["FLINK_CONF_DIR"] = str(CONFIGURATION)
        for name, value in home.options().items():
            configuration.set_string(name, value)
    for name, value in SQL_OPTIONS.items():
        configuration.set_string(name, value)
    configuration.set_string("pipeline.name", job)
    return StreamExecutionEnvironment.get_execution_environment(configuration)


def variables(job: str, settings: Settings) -> dict[str, str]:
    """What fills `${…}` in SQL files: all settings, the schema of every topic, and the job's own consumer group."""
    group = f"{settings.consumer_group_prefix}.{job}"
    return settings.as_variables() | schema_variables() | {"CONSUMER_GROUP": group}
