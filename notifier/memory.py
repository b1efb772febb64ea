"""What has been delivered already? A file that outlives the service, with the ids of a month."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from connectors.kafka.topics import FUTURE_LIMIT, NOTIFICATIONS

OLDEST_MS = NOTIFICATIONS.retention_ms
"""Older notifications are not delivered: what the topic keeps no longer is no news, and could be a repetition of
something that is forgotten."""
_REMEMBERED_MS = OLDEST_MS + FUTURE_LIMIT / timedelta(milliseconds=1)
"""So a repetition is either remembered or too old."""
_LOCK_SECONDS = 30.0

_TABLE = """
CREATE TABLE IF NOT EXISTS delivered (notification_id TEXT PRIMARY KEY, delivered_ms INTEGER NOT NULL) WITHOUT ROWID
"""


class Memory:
    """The ids that one consumer group has delivered; several of its members can share it. A context manager."""

    def __init__(self, file: Path) -> None:
        """Open it, and make it if it isn't there."""
        file.parent.mkdir(parents=True, exist_ok=True)
        # Kafka's client notes in a thread of its own what is under way at a rebalance; this one waits meanwhile.
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
        """Whether it was delivered, as far as can be remembered."""
        query = "SELECT 1 FROM delivered WHERE notification_id = ?"
        with closing(self._connection.execute(query, [notification_id])) as found:
            return found.fetchone() is not None

    def remember(self, notification_ids: Iterable[str], now_ms: int) -> None:
        """They were delivered; on disk when this returns."""
        rows = [(each, now_ms) for each in notification_ids]
        with self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO delivered VALUES (?, ?)", rows)

    def forget_old(self, now_ms: int) -> None:
        """Let go of what can't come again."""
        with self._connection:
            self._connection.execute("DELETE FROM delivered WHERE delivered_ms < ?", [now_ms - _REMEMBERED_MS])
