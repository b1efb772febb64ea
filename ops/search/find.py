"""Queries of the search index: orders and alerts by their ids, words and rules."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from connectors.kafka.topics import FRAUD_ALERTS
from ops.formats import money, time_in_words
from ops.masking import shown_field

Query = dict[str, Any]
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """Fields of an alias: those to query, and those to show."""

    alias: str
    ids: tuple[str, ...]
    """Fields that are compared with a word as a whole."""
    texts: tuple[str, ...]
    """Fields whose text is searched for words."""
    nested: tuple[str, tuple[str, ...], tuple[str, ...]]
    """Path of a list inside each document, with its ids and texts."""
    columns: Mapping[str, Callable[[Document], str]]


@dataclass(frozen=True)
class Asked:
    """Conditions of a search; all that are set must be fulfilled."""

    words: str = ""
    card: str = ""
    customer: str = ""
    order: str = ""
    rule: str = ""
    today: bool = False


@dataclass(frozen=True)
class Found:
    """Documents of one alias, the newest first."""

    kind: Kind
    total: int
    """Number of documents found, also those beyond the limit."""
    documents: tuple[Document, ...]


class NoIndexError(LookupError):
    """There is nothing to search; the message gives the remedy."""


ORDERS = Kind(
    alias="orders",
    ids=("order_id", "customer_id", "event_id"),
    texts=("customer_name",),
    nested=("lines", ("product_id", "category"), ("name",)),
    columns={
        "order": lambda it: it["order_id"],
        "placed": lambda it: time_in_words(it["event_time"]),
        "customer": lambda it: it["customer_id"],
        "name": lambda it: it["customer_name"] or "–",
        "total": lambda it: money(it["total_minor"], it["currency"]),
        "lines": lambda it: ", ".join(map(_line, it["lines"])),
    },
)
ALERTS = Kind(
    alias="fraud-alerts",
    ids=("card_id", "customer_id", "payment_id", "payments", "case_id", "event_id"),
    texts=(),
    nested=("rules", ("rule",), ("reason",)),
    columns={
        "card": lambda it: shown_field(FRAUD_ALERTS.name, "card_id", it["card_id"]),
        "time": lambda it: time_in_words(it["event_time"]),
        "case": lambda it: it["event_type"].removeprefix("fraud_alert."),
        "score": lambda it: str(it["score"]),
        "rules": lambda it: ", ".join(each["rule"] for each in it["rules"]),
        "payments": lambda it: str(it["payment_count"]),
        "amount": lambda it: money(it["amount_minor"], it["currency"]),
    },
)
KINDS = (ORDERS, ALERTS)


def find(elasticsearch: Elasticsearch, asked: Asked, limit: int) -> list[Found]:
    """Find documents of every alias that can fulfil the conditions.

    Raises:
        NoIndexError: an alias does not exist.
    """
    found = []
    for kind in _kinds(asked):
        query = {"bool": {"filter": list(_conditions(kind, asked))}}
        order: list[Any] = [{"event_time": "desc"}, {kind.ids[0]: "asc"}]
        answer = _search(elasticsearch, kind, query=query, sort=order, size=limit, track_total_hits=True)
        documents = tuple(hit["_source"] for hit in answer["hits"]["hits"])
        found.append(Found(kind, answer["hits"]["total"]["value"], documents))
    return found


def alerts_by_rule(elasticsearch: Elasticsearch, asked: Asked, limit: int) -> list[tuple[str, int, int]]:
    """Return each rule with the number of alerts that name it and of their cards, the most frequent first.

    Raises:
        NoIndexError: the alias does not exist.
    """
    cards = {"cards": {"cardinality": {"field": "card_id"}}}
    rules = {"terms": {"field": "rules.rule", "size": limit}, "aggs": {"alerts": {"reverse_nested": {}, "aggs": cards}}}
    nested = {"rules": {"nested": {"path": "rules"}, "aggs": {"rules": rules}}}
    query = {"bool": {"filter": list(_conditions(ALERTS, asked))}}
    answer = _search(elasticsearch, ALERTS, query=query, size=0, aggs=nested)
    buckets = answer["aggregations"]["rules"]["rules"]["buckets"]
    return [(each["key"], each["alerts"]["doc_count"], each["alerts"]["cards"]["value"]) for each in buckets]


def newest_documents(elasticsearch: Elasticsearch) -> dict[str, int | None]:
    """Return the newest event time behind each alias that exists, in UTC milliseconds; None if there is no document."""
    found: dict[str, int | None] = {}
    for kind in KINDS:
        newest = {"newest": {"max": {"field": "event_time"}}}
        with suppress(NoIndexError):
            answer = _search(elasticsearch, kind, size=0, track_total_hits=False, aggs=newest)
            value = answer["aggregations"]["newest"]["value"]
            found[kind.alias] = None if value is None else round(value)
    return found


def _kinds(asked: Asked) -> tuple[Kind, ...]:
    if asked.order:
        return (ORDERS,)
    return (ALERTS,) if asked.card or asked.rule else KINDS


def _conditions(kind: Kind, asked: Asked) -> Iterator[Query]:
    for name, value in (("card_id", asked.card), ("customer_id", asked.customer), ("order_id", asked.order)):
        if value:
            yield {"term": {name: value}}
    if asked.rule:
        yield {"nested": {"path": "rules", "query": {"term": {"rules.rule": asked.rule}}}}
    if asked.today:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        yield {"range": {"event_time": {"gte": round(midnight.timestamp() * 1000)}}}
    if asked.words:
        path, ids, texts = kind.nested
        inside = _anywhere([f"{path}.{each}" for each in ids], [f"{path}.{each}" for each in texts], asked.words)
        own = _anywhere(kind.ids, kind.texts, asked.words)
        yield {"bool": {"should": [*own, {"nested": {"path": path, "query": {"bool": {"should": inside}}}}]}}


def _anywhere(ids: Sequence[str], texts: Sequence[str], words: str) -> list[Query]:
    """Return queries of which one must match: one of the ids as a whole, or all words in one of the texts."""
    return [
        *({"term": {each: words}} for each in ids),
        *({"match": {each: {"query": words, "operator": "and"}}} for each in texts),
    ]


def _search(elasticsearch: Elasticsearch, kind: Kind, **request: Any) -> Any:
    try:
        return elasticsearch.search(index=kind.alias, **request)
    except NotFoundError as error:
        raise NoIndexError(f"there is no index {kind.alias}: run `python -m ops search apply` first") from error


def _line(line: Document) -> str:
    return f"{line['quantity']} × {line['name'] or line['product_id']}"
