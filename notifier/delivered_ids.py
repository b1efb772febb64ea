"""Ids of the notifications that were delivered, in a file that outlives the process."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from connectors.kafka.topics import FUTURE_LIMIT, NOTIFICATIONS

OLDEST_MS = NOTIFICATIONS.retention_ms
"""Maximum age of a notification that is delivered: the topic's retention. An older one is out of date, and could be a
duplicate of one that is forgotten."""
_KEPT_MS = OLDEST_MS + FUTURE_LIMIT / timedelta(milliseconds=1)
"""How long an id is kept: a duplicate is therefore either recognised or too old."""
_LOCK_SECONDS = 30.0

_TABLE = """
CREATE TABLE IF NOT EXISTS delivered (notification_id TEXT PRIMARY KEY, delivered_ms INTEGER NOT NULL) WITHOUT ROWID
"""


class DeliveredIds:
    """Ids that one consumer group has delivered; several members can share the file. A context manager."""

    def __init__(self, file: Path) -> None:
        """Open the file, and create it if necessary."""
        file.parent.mkdir(parents=True, exist_ok=True)
        # At a rebalance, Kafka's client records what is under way from its own thread; the main thread waits meanwhile.
        self._connection = sqlite3.connect(file, timeout=_LOCK_SECONDS, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        with self._connection:
            self._connection.execute(_TABLE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._connection.close()

    def has(self, notification_id: str) -> bool:
        """Return whether the notification was delivered and was not forgotten since."""
        query = "SELECT 1 FROM delivered WHERE notification_id = ?"
        with closing(self._connection.execute(query, [notification_id])) as found:
            return found.fetchone() is not None

    def add(self, notification_ids: Iterable[str], now_ms: int) -> None:
        """Record that these were delivered; they are on disk when this returns."""
        rows = [(each, now_ms) for each in notification_ids]
        with self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO delivered VALUES (?, ?)", rows)

    def forget_old(self, now_ms: int) -> None:
        """Delete ids that can't come again."""
        with self._connection:
            self._connection.execute("DELETE FROM delivered WHERE delivered_ms < ?", [now_ms - _KEPT_MS])
