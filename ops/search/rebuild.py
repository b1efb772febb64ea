"""Rebuilds an index with another mapping: fills a new one from its topic, and then switches the alias.

Before the switch the new index has the alias `<alias>-rebuild`, after it the old one has `<alias>-replaced`: this shows
what an interrupted rebuild left.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError, helpers
from kafka import TopicPartition

from connectors.elasticsearch.client import client, explained
from connectors.kafka.reading import Offsets, topic_reader
from connectors.outage import Report
from connectors.settings import Settings
from ops.search.apply import foreign_template_faults, put_template, version_fault
from ops.search.filling import NAMED, Filling, Outcome, Work
from ops.search.indices import FILLED_TO, Declared, RealIndex, figures, look, next_name

CLOSE_SECONDS = 1.0
"""Once catching up takes at most this long, the alias is switched."""
WATCHED_SECONDS = 3.0
"""Time for which an index that a rebuild left is watched: if it grows, the rebuild is still running."""
PAGE = 2_000


class RebuildError(RuntimeError):
    """The index wasn't rebuilt, and the alias is unchanged; the message gives the reason and the remedy."""


def rebuild(settings: Settings, wanted: Declared, report: Report, *, allow_data_loss: bool = False) -> Outcome:
    """Fill a new index and switch the alias to it, or finish a rebuild that was interrupted after its switch.

    Args:
        allow_data_loss: whether documents may be dropped whose records the topic no longer has.

    Raises:
        RebuildError: it can't be done, or not in the current state.
        ElasticsearchError, IndexingError, KafkaError: a server can't be used.
    """
    with explained(settings), client(settings) as elasticsearch, ExitStack() as undo:
        work = Work(settings, elasticsearch, wanted, report)
        old = replaceable(elasticsearch, wanted)
        if old.filled_to is not None:
            report(f"{wanted.alias}: continuing the rebuild into {old.name}, which was interrupted after the switch")
            return _finish(work, old, Outcome(old.name))
        _delete_leftovers(work)
        rebuilding = Rebuilding(work, old)
        undo.callback(rebuilding.give_up)
        rebuilding.fill()
        rebuilding.compare(allow_data_loss)
        rebuilding.switch()
        undo.pop_all()
        rebuilding.close()
        return _finish(work, replaceable(elasticsearch, wanted), rebuilding.outcome)


def replaceable(elasticsearch: Elasticsearch, wanted: Declared) -> RealIndex:
    """Return the index behind the alias.

    Raises:
        RebuildError: there is none, or something else must be fixed first.
    """
    real = look(elasticsearch, wanted)
    if not real.behind:
        raise RebuildError(
            f"there is no index behind {wanted.alias}: run `python -m ops search apply`, which creates it"
        )
    if len(real.behind) > 1 or real.foreign_indices:
        raise RebuildError(f"{wanted.alias} stands for several indices: see `python -m ops search status`")
    if faults := list(foreign_template_faults(wanted, real)):
        raise RebuildError("\n".join(faults))
    [index] = real.behind
    if fault := version_fault(wanted, index):
        raise RebuildError(fault)
    return index


class Rebuilding:
    """One rebuild up to the switch."""

    def __init__(self, work: Work, old: RealIndex) -> None:
        """Create the new index, empty."""
        self._elasticsearch, self._wanted, self._report = work.elasticsearch, work.wanted, work.report
        self._old = old.name
        self._new = next_name(work.wanted, look(work.elasticsearch, work.wanted))
        self.outcome = Outcome(self._new)
        self._reader = topic_reader(work.settings, work.wanted.index.topic.name)
        self._filling = Filling(work, filling_alias(work.wanted), self._reader, self.outcome)
        put_template(self._elasticsearch, work.wanted)
        self._elasticsearch.indices.create(
            index=self._new,
            aliases={filling_alias(work.wanted): {"is_write_index": True}},
            settings={"index.refresh_interval": "-1"},  # it isn't searched yet
        )

    def fill(self) -> None:
        """Write all records committed at the start, then those written meanwhile, until few are left.

        Also stop when their number no longer decreases: the rest is written after the switch.
        """
        took, before = self._filling.run("filling"), float("inf")
        while CLOSE_SECONDS < took < 0.8 * before:
            took, before = self._filling.run("catching up"), took

    def compare(self, allow_data_loss: bool) -> None:
        """Check that the new index has every document of the old one, in the same version or a newer one.

        Raises:
            RebuildError: documents are missing, and data loss isn't allowed.
        """
        suspects = [each for page in self._pages() for each in self._lacking(page)]
        # What the job wrote into the old index in the meantime is in the topic, too.
        self._filling.run("catching up")
        lost = [
            document
            for page in _chunks(iter(suspects))
            for document, _ in self._lacking(
                list(self._versions(self._old, [document for document, _ in page]).items())
            )
        ]
        if not lost:
            self._report(f"{self._wanted.alias}: {self._new} has all that {self._old} has")
            return
        some = ", ".join(lost[:NAMED]) + (", …" if len(lost) > NAMED else "")
        if not allow_data_loss:
            raise RebuildError(
                f"{self._old} has {len(lost):,} documents that {self._new} would not have: their records are no "
                f"longer in {self._wanted.index.topic.name}, or can't be indexed with the new mapping ({some}"
                f"{self._bad_in_words()}). {self._wanted.alias} is unchanged. If they may be lost, "
                "add --allow-data-loss"
            )
        self.outcome.lost = lost
        self._report(f"{self._wanted.alias}: {len(lost):,} documents of {self._old} are dropped: {some}")

    def switch(self) -> None:
        """Switch the alias atomically: from then on, every reader and writer uses the new index."""
        alias, indices = self._wanted.alias, self._elasticsearch.indices
        meta = {**self._wanted.mappings["_meta"], FILLED_TO: _by_partition(self._reader.reached())}
        indices.put_mapping(index=self._new, meta=meta)
        interval = self._wanted.settings.get("index.refresh_interval")
        indices.put_settings(index=self._new, settings={"index.refresh_interval": interval})
        indices.refresh(index=self._new)
        indices.update_aliases(
            actions=[
                {"remove": {"index": self._old, "alias": alias, "must_exist": True}},
                {"remove": {"index": self._new, "alias": filling_alias(self._wanted), "must_exist": True}},
                {"add": {"index": self._new, "alias": alias, "is_write_index": True}},
                {"add": {"index": self._old, "alias": replaced_alias(self._wanted)}},
            ]
        )
        self._report(f"{alias}: switched from {self._old} to {self._new}")

    def give_up(self) -> None:
        """Delete the new index; the alias is unchanged."""
        self.close()
        self._elasticsearch.indices.delete(index=self._new, ignore_unavailable=True)
        self._report(f"{self._wanted.alias}: stopped; the alias stands for {self._old} as before")

    def close(self) -> None:
        """Close connections."""
        self._filling.close()
        self._reader.close()

    def _pages(self) -> Iterator[Sequence[tuple[str, int]]]:
        self._elasticsearch.indices.refresh(index=self._old)
        query = {"query": {"match_all": {}}, "_source": False, "version": True}
        found = helpers.scan(self._elasticsearch, index=self._old, query=query, size=PAGE)
        return _chunks((hit["_id"], hit["_version"]) for hit in found)

    def _lacking(self, page: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        """Return the documents that the new index lacks or has in an older version, unless they were deleted."""
        here = self._versions(self._new, [document for document, _ in page])
        return [
            (document, version)
            for document, version in page
            if here.get(document, -1) < version and document not in self._filling.deleted
        ]

    def _versions(self, index: str, ids: Sequence[str]) -> dict[str, int]:
        """Return the version by id of the documents that the index has, searchable or not yet."""
        if not ids:
            return {}
        answer = self._elasticsearch.mget(index=index, ids=ids, source=False)
        return {each["_id"]: each["_version"] for each in answer["docs"] if each.get("found")}

    def _bad_in_words(self) -> str:
        return f"; bad records: {'; '.join(self.outcome.named)}" if self.outcome.named else ""


def filling_alias(wanted: Declared) -> str:
    """Return the alias of an index that is being filled."""
    return f"{wanted.alias}-rebuild"


def replaced_alias(wanted: Declared) -> str:
    """Return the alias of an index that is to be deleted."""
    return f"{wanted.alias}-replaced"


def _finish(work: Work, new: RealIndex, outcome: Outcome) -> Outcome:
    """Write what was written to the old index until the switch, then delete the old index."""
    indices, wanted = work.elasticsearch.indices, work.wanted
    replaced = _names(work.elasticsearch, replaced_alias(wanted))
    for name in replaced:
        # When this returns, earlier writes are complete, and later ones fail with an error that is retried.
        indices.add_block(index=name, block="write")
    topic = wanted.index.topic.name
    with topic_reader(work.settings, topic) as reader:
        reader.seek({TopicPartition(topic, int(number)): offset for number, offset in (new.filled_to or {}).items()})
        filling = Filling(work, wanted.alias, reader, outcome)
        filling.run("catching up after the switch")
        filling.close()
    indices.refresh(index=new.name)
    for name in replaced:
        indices.delete(index=name)
        work.report(f"{wanted.alias}: {name} is deleted")
    # The index keeps its own version, even if the file has a newer one by now.
    meta = {name: value for name, value in new.mappings["_meta"].items() if name != FILLED_TO}
    indices.put_mapping(index=new.name, meta=meta)
    return outcome


def _delete_leftovers(work: Work) -> None:
    """Delete what interrupted rebuilds left.

    Raises:
        RebuildError: one of them is still running.
    """
    elasticsearch, wanted = work.elasticsearch, work.wanted
    for name in _names(elasticsearch, filling_alias(wanted)):
        before = _writes(elasticsearch, name)
        time.sleep(WATCHED_SECONDS)
        if _writes(elasticsearch, name) != before:
            raise RebuildError(f"another rebuild is filling {name}; wait until it has ended")
        elasticsearch.indices.delete(index=name)
        work.report(f"{wanted.alias}: {name}, which an interrupted rebuild left, is deleted")


def _names(elasticsearch: Elasticsearch, alias: str) -> list[str]:
    try:
        return sorted(elasticsearch.indices.get_alias(name=alias).body)
    except NotFoundError:
        return []


def _writes(elasticsearch: Elasticsearch, index: str) -> int:
    stats = figures(elasticsearch, index, "indexing")
    return sum(stats.get(name, 0) for name in ("index_total", "index_failed", "delete_total"))


def _chunks(each: Iterator[Any]) -> Iterator[Sequence[Any]]:
    while page := list(islice(each, PAGE)):
        yield page


def _by_partition(offsets: Offsets) -> dict[str, int]:
    """Return offsets by the number of their partition, as an index's mapping stores them."""
    return {str(each.partition): offset for each, offset in offsets.items()}
