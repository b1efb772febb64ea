"""Measures the search index: the job on a mini-cluster against the helpers of Elasticsearch's own client, the
same documents into the same indices.

`python -m tests.bench.other_jobs.search_index` prints ratios; all in one run, since a machine's speed changes,
in turns, of which the middle one counts. The helpers get each record from memory, with its id and version read by the
same function and its value as it is, so that they decode and encode nothing else; they keep no place in a topic and
have no answer to a refusal. The job has one slot, and its clock starts when it is submitted, so the start of its Python
worker counts and the planning doesn't.
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from elasticsearch import Elasticsearch
from elasticsearch.helpers import parallel_bulk, streaming_bulk

from connectors.elasticsearch.client import client
from connectors.elasticsearch.documents import SEARCH_INDICES, action
from connectors.kafka import topics
from connectors.settings import Settings
from events import Event
from jobs import search_index
from ops.formats import table
from ops.search import apply as search
from ops.search.indices import declared
from tests.builders.events import enriched_line, enriched_order, event_time, fraud_alert
from tests.cluster.bounded_job import BoundedJob
from tests.cluster.mini_cluster import MiniCluster, mini_cluster
from tests.services.lone_elasticsearch import lone_elasticsearch

START = event_time("06:00:00")
SOURCES = {"enriched_orders": topics.ENRICHED_ORDERS, "fraud_alerts": topics.FRAUD_ALERTS}
LARGE = int(search_index.BATCHES["python.fn-execution.arrow.batch.size"])
"""Documents of one of the job's requests; the helpers' own default is 500."""

Records = Sequence[tuple[str, bytes, bytes]]
"""Topic, key and value."""

WAYS: dict[str, Callable[[Elasticsearch, Iterable[Any]], Iterable[tuple[bool, Any]]]] = {
    "streaming_bulk": lambda elasticsearch, actions: streaming_bulk(elasticsearch, actions, raise_on_error=False),
    f"streaming_bulk, {LARGE:,} each": lambda elasticsearch, actions: streaming_bulk(
        elasticsearch, actions, chunk_size=LARGE, raise_on_error=False
    ),
    "parallel_bulk": lambda elasticsearch, actions: parallel_bulk(elasticsearch, actions, raise_on_error=False),
}


def events(number: int) -> list[Event]:
    """Return orders of 2.5 lines on average; one in twenty has a second revision, one in ten is an alert."""
    generator = Random(1)
    made: list[Event] = []
    for each in range(number):
        at = START + each
        if each % 10 == 0:
            made.append(fraud_alert(f"a{each}", event_time=at, card_id=f"c{each % 5000}"))
            continue
        lines = tuple(enriched_line(n + 1, f"p{generator.randrange(2000)}") for n in range(generator.randint(1, 4)))
        order_id, revision = (f"o{each - 1}", 2) if each % 20 == 2 else (f"o{each}", 1)
        made.append(enriched_order(order_id, event_time=at, revision=revision, lines=lines))
    return made


def records(made: Sequence[Event]) -> Records:
    """Return the events as records of their topics."""
    by_type = {topic.event: topic for topic in SOURCES.values()}
    of_topic = [(by_type[type(event)], event) for event in made]
    return [(topic.name, str(getattr(each, topic.key)).encode(), msgspec.json.encode(each)) for topic, each in of_topic]


def actions(of: Records) -> Iterator[dict[str, Any]]:
    """Return the records as actions of the helpers."""
    for topic, key, value in of:
        wanted = action(topic, key, value)
        yield {
            "_index": wanted.alias,
            "_id": wanted.id,
            "_version": wanted.version,
            "_version_type": "external",
            "_source": wanted.document,
        }


def helper_seconds(elasticsearch: Elasticsearch, of: Records, way: str) -> float:
    """Return how long a helper takes."""
    started = time.monotonic()
    failed = [told["index"] for is_done, told in WAYS[way](elasticsearch, actions(of)) if not is_done]
    seconds = time.monotonic() - started
    assert all(told["status"] == HTTPStatus.CONFLICT for told in failed), failed[:3]
    return seconds


def job_seconds(cluster: MiniCluster, settings: Settings, folder: Path, made: Sequence[Event]) -> float:
    """Return how long the job takes from its submission to its end."""
    job = BoundedJob(cluster, folder, SOURCES, lambda tables: search_index.define(tables, settings))
    result = job.defined(folder, made, {})
    started = time.monotonic()
    result.execute().wait()
    return time.monotonic() - started


def empty(elasticsearch: Elasticsearch) -> None:
    """Create the indices anew, so that every turn begins alike."""
    elasticsearch.indices.delete(index=[f"{index.alias}-v1" for index in SEARCH_INDICES], ignore_unavailable=True)
    search.apply(elasticsearch, declared())


def contents(elasticsearch: Elasticsearch) -> list[tuple[int, float]]:
    """Return counts and sums of the documents, to see that all wrote the same; a double holds the sums exactly."""
    sums = {name: {"sum": {"field": name}} for name in ("revision", "total_minor", "amount_minor", "score")}
    found = []
    for index in SEARCH_INDICES:
        elasticsearch.indices.refresh(index=index.alias)
        answer = elasticsearch.search(index=index.alias, size=0, track_total_hits=True, aggregations=sums)
        found.append((answer["hits"]["total"]["value"], *(answer["aggregations"][name]["value"] for name in sums)))
    return found


def turns(cluster: MiniCluster, settings: Settings, made: Sequence[Event], number: int) -> dict[str, list[float]]:
    """Return the seconds of each turn, by contender."""
    of = records(made)
    seconds: dict[str, list[float]] = defaultdict(list)
    wrote = []
    with client(settings, request_seconds=120) as elasticsearch, tempfile.TemporaryDirectory() as folder:
        for turn in range(number):
            for way in WAYS:
                empty(elasticsearch)
                seconds[way].append(helper_seconds(elasticsearch, of, way))
                wrote.append(contents(elasticsearch))
            empty(elasticsearch)
            seconds["job"].append(job_seconds(cluster, settings, Path(folder, str(turn)), made))
            wrote.append(contents(elasticsearch))
            print(f"turn {turn + 1} of {number} is done", flush=True)
    assert all(each == wrote[0] for each in wrote), f"they did not write the same: {wrote}"
    return seconds


def main() -> None:
    """Command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=200_000)
    options.add_argument("--turns", type=int, default=3)
    chosen = options.parse_args()
    made = events(chosen.events)
    with (
        tempfile.TemporaryDirectory() as folder,
        lone_elasticsearch() as stack,
        mini_cluster(Path(folder)) as cluster,
    ):
        settings = stack.setup.settings
        with client(settings) as elasticsearch:
            empty(elasticsearch)
        job_seconds(cluster, settings, Path(folder, "warm"), made[:1000])
        seconds = turns(cluster, settings, made, chosen.turns)
    middle = {who: statistics.median(taken) for who, taken in seconds.items()}
    rows = [
        (who, f"{len(made) / middle[who]:,.0f}", ", ".join(f"{each:.1f}" for each in taken))
        for who, taken in seconds.items()
    ]
    print(f"{len(made):,} documents")
    print(table(("who", "documents a second", "turns in seconds"), rows))
    for way in WAYS:
        print(f"the job's rate is {middle[way] / middle['job']:.2f} of that of {way}", flush=True)


if __name__ == "__main__":
    main()
