"""Command line of the notifier; `python -m notifier --help` describes how notifications are delivered."""

import logging
import smtplib
import time
from contextlib import closing
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import click
from kafka import KafkaConsumer
from kafka.errors import KafkaError

from connectors.kafka.client import kafka_client
from connectors.outage import OUTAGE_SECONDS
from connectors.settings import Settings, SettingsError, state_directory
from connectors.status_line import StatusLine
from connectors.stop_signal import stop_on_signal
from notifier import NAME
from notifier.dead_letters import DeadLetters
from notifier.delivered_ids import DeliveredIds
from notifier.delivery import Delivery
from notifier.mail_server import MailServer
from notifier.retries import RetryPolicy
from notifier.senders import Senders
from notifier.settings import NotifierSettings

SECONDS_BETWEEN_LINES = 1.0
HOUR_SECONDS = 3600
SESSION_TIMEOUT_MS = 10_000
"""How long the group waits for a crashed member before another one gets its partitions."""


@click.command()
@click.option(
    "--until-idle",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Stop when no record came and no message waited for SECONDS. Without it: at SIGTERM or Ctrl-C.",
)
@click.option("--quiet", is_flag=True, help="Don't show progress.")
def main(until_idle: float | None, quiet: bool) -> None:
    """Deliver the notifications in the topic `notifications` as e-mail to MILLRACE_SMTP_URL.

    Each is delivered once, however often it is in the topic, unless the notifier or the mail server crashes before the
    answer: then at most four arrive twice. What can't be delivered becomes a dead letter. The notifier waits for an
    unavailable mail server or Kafka broker, and shows for how long it has been unavailable.
    """
    with stop_on_signal() as stop:
        try:
            settings, own = Settings.from_environment(), NotifierSettings.from_environment()
            deliver(settings, own, state_directory() / NAME, stop, until_idle, quiet=quiet)
        except (SettingsError, ConnectionError) as error:
            raise click.ClickException(str(error)) from error
        except KafkaError as error:
            raise click.ClickException(f"Kafka: {error}") from error


def deliver(
    settings: Settings, own: NotifierSettings, folder: Path, stop: Event, until_idle: float | None, *, quiet: bool
) -> None:
    """Deliver notifications until `stop` is set, or until there has been nothing to do for `until_idle` seconds.

    Raises:
        ConnectionError: no broker answers in time, or the topic does not exist.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    group = f"{settings.consumer_group_prefix}.{NAME}"
    address = urlsplit(own.smtp_url)
    host, port = address.hostname or "", address.port or smtplib.SMTP_PORT
    policy = RetryPolicy(int(own.mail_attempts), float(own.mail_outage_hours) * HOUR_SECONDS)
    line = StatusLine(quiet)
    consumer = kafka_client(
        settings,
        KafkaConsumer,
        report=lambda text: line.show(f"{NAME}: {text}"),
        stop=stop,
        within_seconds=OUTAGE_SECONDS,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=SESSION_TIMEOUT_MS // 3,
    )
    with (
        closing(DeadLetters(settings)) as dead_letters,
        DeliveredIds(folder / f"{group}.sqlite") as delivered_ids,
        Senders(lambda: MailServer(host, port, own.mail_sender)) as senders,
        # Closed first: it gives up the partitions, and `Delivery` then settles what is under way.
        closing(consumer),
    ):
        delivery = Delivery(
            consumer=consumer,
            delivered_ids=delivered_ids,
            dead_letters=dead_letters,
            senders=senders,
            policy=policy,
            sender=own.mail_sender,
        )
        _work(delivery, stop, until_idle, line)


def _work(delivery: Delivery, stop: Event, until_idle: float | None, line: StatusLine) -> None:
    started = shown = time.monotonic()
    delivered_before = 0
    while not stop.is_set() and not (until_idle is not None and delivery.is_idle(until_idle)):
        delivery.work()
        now = time.monotonic()
        if now - shown >= SECONDS_BETWEEN_LINES:
            delivered = delivery.counts["delivered"]
            line.show(f"{NAME}: {_state(delivery, (delivered - delivered_before) / (now - shown), now)}")
            shown, delivered_before = now, delivered
    delivery.finish()
    line.end(f"{'stopped' if stop.is_set() else 'done'} after {time.monotonic() - started:.1f} s: {_counts(delivery)}")


def _state(delivery: Delivery, rate: float, now: float) -> str:
    waiting = f", {delivery.waiting:,} waiting" if delivery.waiting else ""
    since = {"Kafka": delivery.kafka_unavailable_since, "mail server": delivery.server.unavailable_since}
    outages = "".join(f", {name} unavailable for {now - at:.0f} s" for name, at in since.items() if at is not None)
    return f"{_counts(delivery)} ({rate:,.0f}/s){waiting}{outages}" + (f": {delivery.fault}" if delivery.fault else "")


def _counts(delivery: Delivery) -> str:
    delivered = delivery.counts["delivered"]
    others = [f", {number:,} {what}" for what, number in delivery.counts.items() if number and what != "delivered"]
    return f"{delivered:,} delivered{''.join(others)}"


if __name__ == "__main__":
    main()
