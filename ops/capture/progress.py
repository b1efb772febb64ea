"""Progress of change capture: which changes have arrived in the topics."""

import time
from datetime import UTC, datetime

from kafka.errors import KafkaError

from connectors.kafka.reading import committed_records
from connectors.outage import report_on_stderr
from connectors.postgres.captured_tables import BEAT, HEARTBEATS, CapturedTable
from connectors.settings import Settings
from ops.capture.database_queries import connected, look

THROUGH_WITHIN_SECONDS = 300
POLL_SECONDS = 0.2
SECONDS_BETWEEN_REPORTS = 5.0
LATEST = 200
"""Number of offsets at the end of each partition among which the last change is searched; some mark transactions."""


class CaptureError(RuntimeError):
    """Changes can't be captured in the current state; the message gives the reason and the remedy."""


def last_change(settings: Settings, table: CapturedTable) -> datetime | None:
    """Return when the newest change in a table's topic was made; None if there is none.

    Raises:
        LookupError: the topic does not exist.
    """
    times = [record.timestamp for record in committed_records(settings, table.topic.name, LATEST)]
    return datetime.fromtimestamp(max(times) / 1000, UTC) if times else None


def write_heartbeat(settings: Settings) -> datetime:
    """Write a heartbeat, so that it isn't necessary to wait for the connector's own.

    Returns:
        A time by the database's clock: once a later heartbeat is captured, so is all that was committed until now.

    Raises:
        DatabaseError: the database can't be reached.
    """
    with connected(settings) as connection:
        since = look(connection).now
        connection.execute(BEAT.encode())
    return since


def wait_until_captured(settings: Settings) -> None:
    """Wait until all that is committed in the database now is in the topics; continue during an outage of a broker or
    Connect.

    A wait of more than some seconds is reported on stderr.

    Raises:
        DatabaseError: the database can't be reached.
        CaptureError: it takes too long.
    """
    since = write_heartbeat(settings)
    began = time.monotonic()
    next_report = began + SECONDS_BETWEEN_REPORTS
    while True:
        fault = ""
        try:
            if (last_change(settings, HEARTBEATS) or since) > since:
                return
        except (ConnectionError, KafkaError) as error:
            fault = f" (Kafka: {error})"
        silent = f"changes haven't arrived for {time.monotonic() - began:.0f} s{fault}"
        if time.monotonic() - began > THROUGH_WITHIN_SECONDS:
            raise CaptureError(f"{silent}: see `python -m ops cdc status`")
        if time.monotonic() > next_report:
            next_report = time.monotonic() + SECONDS_BETWEEN_REPORTS
            report_on_stderr(f"{silent}; trying again")
        time.sleep(POLL_SECONDS)
