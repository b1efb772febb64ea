"""A job on a mini-cluster that finishes with its input: records from files, dead letters into files."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from pyflink.table import StatementSet, StreamTableEnvironment

from connectors.kafka.topics import Topic
from events import DeadLetter, Event
from tests.cluster.mini_cluster import MiniCluster
from tests.cluster.records import Record, read_records, write_records
from tests.cluster.topic_tables import create_table, record


class BoundedJob:
    """A job that can be run several times."""

    def __init__(
        self,
        cluster: MiniCluster,
        folder: Path,
        sources: Mapping[str, Topic],
        define: Callable[[StreamTableEnvironment], StatementSet],
    ) -> None:
        """Prepare the job.

        Args:
            folder: gets a folder for each run.
            sources: topics by table name.
            define: the job's topology, from the sources to `dead_letters_out` and other tables.
        """
        self._cluster = cluster
        self._folder = folder
        self._sources = sources
        self._define = define
        self._runs = 0

    def run(self, *events: Event, records: Mapping[Topic, Sequence[Record]] | None = None) -> list[DeadLetter]:
        """Run the job over events and other records, and return its dead letters."""
        self._runs += 1
        folder = self._folder / str(self._runs)
        self.defined(folder, events, records or {}).execute().wait()
        return [msgspec.json.decode(each.value or b"", type=DeadLetter) for each in read_records(folder / "out")]

    def defined(self, folder: Path, events: Sequence[Event], records: Mapping[Topic, Sequence[Record]]) -> StatementSet:
        """Return the job's statement set."""
        tables = StreamTableEnvironment.create(self._cluster.environment({"parallelism.default": "1"}))
        for name, topic in self._sources.items():
            of_topic = [record(topic, event) for event in events if isinstance(event, topic.event)]
            create_table(tables, name, write_records(folder / name, [*of_topic, *records.get(topic, ())]))
        create_table(tables, "dead_letters_out", folder / "out")
        return self._define(tables)
