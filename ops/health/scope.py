"""Answers of the services during one run of the checks: each service is asked once, whoever needs the answer."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from connectors.kafka.topics import ENRICHED_ORDERS, ORDERS
from connectors.postgres.captured_tables import HEARTBEATS
from connectors.settings import Settings
from jobs.flow import ORDER_ENRICHMENT
from ops.capture.connector import RealConnector, real_connector
from ops.capture.database_queries import connected, look
from ops.capture.database_state import CaptureDatabase
from ops.capture.progress import last_change
from ops.health.answers import brokers, cluster, stores
from ops.health.answers.brokers import Brokers
from ops.health.answers.cluster import Checkpoints, LiveJob, TaskManager, Tasks
from ops.health.answers.freshness import Sink, output_topic
from ops.health.answers.letters import Letters, read_letters
from ops.health.answers.processes import ProcessMemory, local_processes
from ops.health.answers.rule_hits import RuleHits, read_rule_hits, read_shadow_hits
from ops.health.answers.stores import MailSettings, SearchCluster, Warehouse
from ops.health.answers.transactions import Transaction, open_transactions
from ops.jobs.cluster_jobs import Job
from ops.jobs.lost_jobs import LostJob, local_folders, lost_jobs
from ops.rules import rulesets
from ops.topics.schemas import Verdict, check_registry

_AnswerT = TypeVar("_AnswerT")


class Asked(Generic[_AnswerT]):
    """Attribute of a scope that asks when it is first read; a second reading has the same answer, or error."""

    def __init__(self, ask: Callable[[Any], _AnswerT]) -> None:
        self._ask = ask
        self._name = ask.__name__
        self.__doc__ = ask.__doc__

    def __get__(self, scope: Scope, _owner: type[Scope]) -> _AnswerT:
        return scope.answer(self._name, self._ask)


class Scope:
    """What one run of the checks is about.

    Reading an attribute raises the error of the service that is asked for it.
    """

    def __init__(self, settings: Settings, now: datetime | None = None, known: Mapping[str, Any] | None = None) -> None:
        """Create a scope that has asked nothing yet.

        Args:
            now: time of the run in UTC, by default the current time.
            known: answers that are known already, by attribute.
        """
        self.settings = settings
        self.now = now or datetime.now(UTC)
        self._answers: dict[str, tuple[Any, Exception | None]] = {
            name: (answer, None) for name, answer in (known or {}).items()
        }
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    @property
    def now_ms(self) -> int:
        """Time of the run in UTC milliseconds."""
        return round(self.now.timestamp() * 1000)

    def answer(self, name: str, ask: Callable[[Any], _AnswerT]) -> _AnswerT:
        """Return what `ask` returned for this name, and call it if it wasn't called yet.

        Raises:
            Exception: what `ask` raised.
        """
        with self._guard:
            lock = self._locks[name]
        with lock:
            if name not in self._answers:
                try:
                    self._answers[name] = (ask(self), None)
                except Exception as error:  # noqa: BLE001 - raised again for each reader
                    self._answers[name] = (None, error)
            answer, error_then = self._answers[name]
        if error_then is not None:
            raise error_then
        found: _AnswerT = answer
        return found

    @Asked
    def brokers(self) -> Brokers:
        """Topics, groups and offsets."""
        return brokers.look(self.settings, self.now)

    @Asked
    def transactions(self) -> Sequence[Transaction]:
        """Transactions that are open."""
        self._require_kafka()
        return open_transactions(self.settings)

    @Asked
    def jobs(self) -> Sequence[Job]:
        """Jobs of this deployment that the cluster remembers, the latest first."""
        return cluster.own_jobs(self.settings)

    @Asked
    def live_jobs(self) -> Sequence[LiveJob]:
        """Jobs that have not ended, with their vertices and failures."""
        return [cluster.live_job(self.settings, job) for job in self.jobs if not job.has_ended]

    @Asked
    def lost_jobs(self) -> Sequence[LostJob]:
        """Jobs of this deployment that a JobManager lost."""
        prefix = self.settings.consumer_group_prefix
        return [job for job in lost_jobs(self.settings) if job.note.prefix == prefix]

    @Asked
    def checkpoints(self) -> Sequence[Checkpoints]:
        """Checkpoints of each live job."""
        return [cluster.checkpoints(self.settings, job) for job in self.live_jobs]

    @Asked
    def tasks(self) -> Sequence[Tasks]:
        """Metrics of each vertex of each live job."""
        return [cluster.tasks(self.settings, job, vertex) for job in self.live_jobs for vertex in job.vertices]

    @Asked
    def task_managers(self) -> Sequence[TaskManager]:
        """Memory of each TaskManager."""
        return cluster.task_managers(self.settings)

    @Asked
    def task_manager_processes(self) -> Sequence[ProcessMemory]:
        """Memory of the TaskManagers that run on this machine."""
        return local_processes(self.task_managers)

    @Asked
    def flink_folders(self) -> Sequence[Path]:
        """Folders of checkpoints and savepoints on this machine."""
        return local_folders(self.settings)

    @Asked
    def letters(self) -> Letters:
        """Dead letters at the end of their topic."""
        self._require_kafka()
        return read_letters(self.settings, self.now)

    @Asked
    def enriched_orders(self) -> Sink:
        """Newest enriched orders."""
        self._require_kafka()
        return output_topic(self.settings, ORDER_ENRICHMENT.name, ORDERS.name, ENRICHED_ORDERS.name)

    @Asked
    def warehouse(self) -> Warehouse:
        """State of the warehouse."""
        return stores.look_at_warehouse(self.settings)

    @Asked
    def newest_in_search(self) -> Mapping[str, int | None]:
        """Newest event time behind each alias of the search index."""
        return stores.newest_in_search(self.settings)

    @Asked
    def searchable(self) -> None:
        """Nothing, when readers of the search index find what was written before the brokers were asked."""
        self._require_kafka()
        stores.make_searchable(self.settings)

    @Asked
    def search_faults(self) -> Mapping[str, Sequence[str]]:
        """What is wrong with the index of each alias."""
        return stores.search_faults(self.settings)

    @Asked
    def search_cluster(self) -> SearchCluster:
        """State of Elasticsearch's shards and disks."""
        return stores.search_cluster(self.settings)

    @Asked
    def mail_server(self) -> None:
        """Nothing, if the mail server answers."""
        stores.check_mail_server(MailSettings.from_environment())

    @Asked
    def connector(self) -> RealConnector | None:
        """The connector that captures changes."""
        return real_connector(self.settings, wait_seconds=0)

    @Asked
    def shop_database(self) -> CaptureDatabase:
        """State of the shop's database, as far as capture depends on it."""
        with connected(self.settings) as connection:
            return look(connection)

    @Asked
    def last_heartbeat(self) -> datetime | None:
        """Time of the last heartbeat that was captured."""
        self._require_kafka()
        return last_change(self.settings, HEARTBEATS)

    @Asked
    def schemas(self) -> Sequence[Verdict]:
        """Comparison of each topic's schema with the registry's."""
        return check_registry(self.settings)

    @Asked
    def rulesets(self) -> Sequence[rulesets.Published]:
        """All records of the rulesets' topic, oldest first."""
        self._require_kafka()
        return rulesets.read(self.settings)

    @Asked
    def rule_hits(self) -> RuleHits:
        """How often each rule has fired in the last two hours."""
        return read_rule_hits(self.settings, self.brokers.ends, self.now_ms)

    @Asked
    def shadow_hits(self) -> Mapping[str, int] | None:
        """How often each rule in shadow has fired in the last hour; None if too often to be counted."""
        return read_shadow_hits(self.settings, self.brokers.ends, self.now_ms)

    def _require_kafka(self) -> None:
        """Raise the error that the brokers gave: later clients would wait for them, and be no wiser."""
        _ = self.brokers
