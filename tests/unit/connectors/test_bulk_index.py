"""Bulk requests over real connections, to a server that answers as Elasticsearch does when it is in a bad mood."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import pytest
from elasticsearch import Elasticsearch

from connectors.elasticsearch import bulk_index
from connectors.elasticsearch.bulk_index import BulkIndex, IndexingError, Tally
from connectors.elasticsearch.documents import Action
from connectors.settings import Settings
from tests.unit.connectors.moody_elasticsearch import Answer, Json, MoodyElasticsearch, Sent, error, serve

BUSY = Answer.error(429, "es_rejected_execution_exception", "queue is full")
WATERMARK = "index [orders-v1] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]"
READ_ONLY = "index [orders-v1] blocked by: [FORBIDDEN/8/index write (api)];"


@pytest.fixture
def elasticsearch() -> Iterator[MoodyElasticsearch]:
    with serve(MoodyElasticsearch()) as serving:
        yield serving


class Pauses:
    """Takes the pauses down instead of waiting; what else happens meanwhile is done at the first."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        assert len(self.seconds) < 100, "it would run for ever"
        self.meanwhile()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def index(elasticsearch: MoodyElasticsearch, pauses: Pauses) -> Iterator[BulkIndex]:
    with closing(BulkIndex(Settings(elasticsearch_url=elasticsearch.url), pauses)) as index:
        yield index


def order(number: int, version: int = 1, document: bytes = b'{"total_minor":4000}') -> Action:
    return Action("orders", f"o{number}", version, document)


def orders(number: int) -> list[Action]:
    return [order(each) for each in range(number)]


def kept(elasticsearch: MoodyElasticsearch) -> set[str]:
    return {id for _, id in elasticsearch.documents}


def ids(actions: Sequence[Action]) -> set[str]:
    return {action.id for action in actions}


def test_documents_are_sent_in_one_request_to_an_existing_alias(
    index: BulkIndex, elasticsearch: MoodyElasticsearch
) -> None:
    reasons = index.write([order(1), Action("fraud-alerts", "a1", 7, b'{"score":50}')])

    assert reasons == [None, None]
    assert elasticsearch.documents == {
        ("orders", "o1"): (1, {"total_minor": 4000}),
        ("fraud-alerts", "a1"): (7, {"score": 50}),
    }
    assert len(elasticsearch.requests) == 1
    assert "require_alias=true" in elasticsearch.paths[0]
    assert {sent.place["version_type"] for sent in elasticsearch.requests[0]} == {"external"}


def test_no_document_makes_no_request(index: BulkIndex, elasticsearch: MoodyElasticsearch) -> None:
    assert index.write([]) == []
    assert elasticsearch.requests == []


def test_line_break_in_a_document_or_id_ends_no_line(index: BulkIndex, elasticsearch: MoodyElasticsearch) -> None:
    id = 'a\nb"\\\u2028'

    reasons = index.write([Action("orders", id, 1, b'{\r\n"name":\n"a\\nb\xe2\x80\xa8"\n}\n'), order(2)])

    assert reasons == [None, None]
    assert elasticsearch.documents["orders", id] == (1, {"name": "a\nb\u2028"})


@pytest.mark.parametrize("order_of_arrival", [(1, 2, 3), (3, 2, 1), (2, 3, 1, 3)])
@pytest.mark.parametrize("together", [True, False])
def test_newest_version_wins_in_any_order_and_batches(
    order_of_arrival: tuple[int, ...], together: bool, index: BulkIndex, elasticsearch: MoodyElasticsearch
) -> None:
    actions = [order(1, version, b'{"revision":%d}' % version) for version in order_of_arrival]

    batches = [actions] if together else [[action] for action in actions]
    reasons = [reason for batch in batches for reason in index.write(batch)]

    assert set(reasons) == {None}
    assert elasticsearch.documents == {("orders", "o1"): (3, {"revision": 3})}
    assert index.tally.written + index.tally.unchanged == len(actions)


def test_deleted_document_stays_deleted_after_an_older_version(
    index: BulkIndex, elasticsearch: MoodyElasticsearch
) -> None:
    reasons = index.write([order(1), Action("orders", "o1", 2, None), order(1), Action("orders", "unknown", 1, None)])

    assert reasons == [None] * 4
    assert elasticsearch.documents == {("orders", "o1"): (2, None), ("orders", "unknown"): (1, None)}


@pytest.mark.parametrize(
    "mood",
    [
        BUSY,
        Answer.error(429, "circuit_breaking_exception", "data too large"),
        Answer.error(403, "cluster_block_exception", "blocked by: [FORBIDDEN/6/cluster read-only (api)]"),
        Answer.error(503, "cluster_block_exception", "blocked by: [SERVICE_UNAVAILABLE/2/no master]"),
        Answer.error(500, "null_pointer_exception", "a mistake of ours"),
        Answer(502, b"<html>Bad Gateway</html>"),
        Answer(503),
        Answer(None),
    ],
    ids=lambda mood: f"{mood.status} {mood.body[:60]!r}",
)
def test_document_not_accepted_now_is_retried_until_it_is(
    mood: Answer, index: BulkIndex, elasticsearch: MoodyElasticsearch, pauses: Pauses
) -> None:
    elasticsearch.moods = [mood] * 5

    reasons = index.write(orders(3))

    assert reasons == [None] * 3
    assert kept(elasticsearch) == ids(orders(3))
    assert index.tally == Tally(written=3, retries=5)
    assert len(pauses.seconds) == 5


@pytest.mark.parametrize(
    "objection",
    [
        (429, error("es_rejected_execution_exception", "queue is full")),
        (429, error("cluster_block_exception", WATERMARK)),
        (403, error("cluster_block_exception", READ_ONLY)),
        (503, error("unavailable_shards_exception", "primary shard is not active")),
        (500, error("engine_exception", "something broke")),
    ],
)
def test_only_documents_that_were_not_accepted_are_retried(
    objection: tuple[int, Json], index: BulkIndex, elasticsearch: MoodyElasticsearch, pauses: Pauses
) -> None:
    elasticsearch.objects = lambda sent: objection if sent.id in {"o1", "o3"} else None
    pauses.meanwhile = lambda: setattr(elasticsearch, "objects", lambda _: None)

    reasons = index.write(orders(5))

    assert reasons == [None] * 5
    assert kept(elasticsearch) == ids(orders(5))
    assert sorted(id for request in elasticsearch.ids()[1:] for id in request) == ["o1", "o3"]


def test_pauses_grow_to_a_maximum_and_differ(
    index: BulkIndex, elasticsearch: MoodyElasticsearch, pauses: Pauses
) -> None:
    elasticsearch.moods = [BUSY] * 50

    index.write([order(1)])

    longest = [bulk_index.FIRST_PAUSE_SECONDS * 2**number for number in range(50)]
    bounds = [min(each, bulk_index.LONGEST_PAUSE_SECONDS) for each in longest]
    assert all(bound / 2 <= pause <= bound for pause, bound in zip(pauses.seconds, bounds, strict=True))
    assert len(set(pauses.seconds)) == 50


def test_pauses_are_short_again_after_an_accepted_document(
    index: BulkIndex, elasticsearch: MoodyElasticsearch, pauses: Pauses
) -> None:
    elasticsearch.moods = [BUSY] * 9
    once_more = iter([BUSY])
    elasticsearch.refuses = lambda actions, _: next(once_more, None) if actions[0].id == "o1" else None

    index.write(orders(2))

    assert len(pauses.seconds) == 10
    assert pauses.seconds[-1] <= bulk_index.FIRST_PAUSE_SECONDS


def test_request_that_overloads_the_server_is_split(index: BulkIndex, elasticsearch: MoodyElasticsearch) -> None:
    elasticsearch.refuses = lambda actions, _: BUSY if len(actions) > 2 else None

    reasons = index.write(orders(20))

    assert reasons == [None] * 20
    assert kept(elasticsearch) == ids(orders(20))


def test_lost_answer_changes_nothing(index: BulkIndex, elasticsearch: MoodyElasticsearch) -> None:
    elasticsearch.answers_lost = 1

    reasons = index.write(orders(4))

    assert reasons == [None] * 4
    assert index.tally == Tally(unchanged=4, retries=1)
    assert kept(elasticsearch) == ids(orders(4))


def test_wait_is_logged(index: BulkIndex, elasticsearch: MoodyElasticsearch, caplog: pytest.LogCaptureFixture) -> None:
    elasticsearch.moods = [BUSY]

    with caplog.at_level(logging.WARNING):
        index.write(orders(3))

    [record] = [each for each in caplog.records if each.name == bulk_index.__name__]
    assert "can't take 3 documents now" in record.getMessage()
    assert "queue is full" in record.getMessage()


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (400, error("document_parsing_exception", "[1:2] failed", caused_by=error("number_format", "no int: x"))),
        (400, error("strict_dynamic_mapping_exception", "dynamic introduction of [surprise] is not allowed")),
        (400, error("illegal_argument_exception", "Limit of total fields [1000] has been exceeded")),
        (413, error("too_large", "document is too large")),
    ],
)
def test_refused_document_has_a_reason_and_others_are_written(
    status: int, answer: Json, index: BulkIndex, elasticsearch: MoodyElasticsearch, pauses: Pauses
) -> None:
    elasticsearch.objects = lambda sent: (status, answer) if sent.id == "o1" else None

    reasons = index.write(orders(3))

    assert [reason is None for reason in reasons] == [True, False, True]
    assert f"{answer['type']}: {answer['reason']}" in str(reasons[1])
    assert kept(elasticsearch) == {"o0", "o2"}
    assert (len(elasticsearch.requests), pauses.seconds) == (1, [])


def test_reason_has_its_causes_and_a_maximum_length(index: BulkIndex, elasticsearch: MoodyElasticsearch) -> None:
    deep = error("outer", "failed", caused_by=error("middle", "since", caused_by=error("inner", "x" * 10_000)))
    elasticsearch.objects = lambda _: (400, deep)

    [reason] = index.write([order(1)])

    assert str(reason).startswith("outer: failed; middle: since; inner: xxx")
    assert len(str(reason)) == bulk_index.REASON_LENGTH


@pytest.mark.parametrize("number", [1, 2, 7, 100])
@pytest.mark.parametrize("bad", [{0}, {0, 1}, {6}, {3, 64, 99}])
def test_document_that_fails_its_request_is_found_others_are_written(
    number: int, bad: set[int], index: BulkIndex, elasticsearch: MoodyElasticsearch
) -> None:
    spoiling = {f"o{each}" for each in bad if each < number}
    validation = Answer.error(400, "action_request_validation_exception", "id is too long")
    elasticsearch.refuses = lambda actions, _: validation if any(sent.id in spoiling for sent in actions) else None

    reasons = index.write(orders(number))

    assert {f"o{each}" for each, reason in enumerate(reasons) if reason} == spoiling
    assert all("id is too long" in reason for reason in reasons if reason)
    assert kept(elasticsearch) == ids(orders(number)) - spoiling
    assert len(elasticsearch.requests) <= 1 + 2 * len(spoiling) * number.bit_length()


def test_too_large_request_is_split_and_too_large_document_is_refused(
    index: BulkIndex, elasticsearch: MoodyElasticsearch
) -> None:
    elasticsearch.refuses = lambda _, size: Answer(413, b"<html>too large</html>") if size > 2000 else None
    large = order(5, document=b'{"name":"%b"}' % (b"x" * 3000))

    reasons = index.write([*orders(5), large, *(order(number) for number in range(6, 40))])

    assert [number for number, reason in enumerate(reasons) if reason] == [5]
    assert "413" in str(reasons[5])
    assert kept(elasticsearch) == {f"o{number}" for number in range(40)} - {"o5"}


def test_request_has_a_bounded_size_unless_one_document_is_larger(
    index: BulkIndex, elasticsearch: MoodyElasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_index, "REQUEST_BYTES", 1000)
    sizes: list[int] = []

    def only_look(_: list[Sent], size: int) -> None:
        sizes.append(size)

    elasticsearch.refuses = only_look
    large = order(0, document=b'{"name":"%b"}' % (b"x" * 3000))

    index.write([*orders(30), large])

    assert [size for size in sizes if size > 1000] == [len(large.lines())]
    assert len(sizes) <= sum(sizes) / 800


@pytest.mark.parametrize(
    ("mood", "expected_text"),
    [
        (Answer.error(401, "security_exception", "unable to authenticate user [x]"), "MILLRACE_ELASTICSEARCH_USER"),
        (Answer.error(403, "security_exception", "action is unauthorized"), "MILLRACE_ELASTICSEARCH_USER"),
        (Answer.error(405, "illegal", "Incorrect HTTP method"), "405"),
        (Answer(404, b"not found"), "404"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_fault_of_every_document_is_an_error_in_words(
    mood: Answer, expected_text: str, index: BulkIndex, elasticsearch: MoodyElasticsearch
) -> None:
    elasticsearch.moods = [mood]

    with pytest.raises(IndexingError, match=expected_text):
        index.write(orders(3))


@pytest.mark.parametrize(
    ("objection", "expected_text"),
    [
        ((404, error("index_not_found_exception", "[orders] is not an alias")), "ops search apply"),
        ((400, error("index_closed_exception", "closed")), "ops search apply"),
        ((400, error("illegal_argument_exception", "no write index is defined for alias [orders].")), "search apply"),
        ((403, error("security_exception", "action [indices:data/write] is unauthorized")), "the right to write"),
    ],
)
def test_index_that_can_never_be_written_is_no_fault_of_its_documents(
    objection: tuple[int, Json], expected_text: str, index: BulkIndex, elasticsearch: MoodyElasticsearch
) -> None:
    elasticsearch.objects = lambda sent: objection if sent.id == "o1" else None

    with pytest.raises(IndexingError, match=expected_text):
        index.write(orders(3))


def test_other_server_is_not_mistaken_for_elasticsearch(index: BulkIndex, elasticsearch: MoodyElasticsearch) -> None:
    elasticsearch.product = "Something else"

    with pytest.raises(IndexingError, match="MILLRACE_ELASTICSEARCH_URL"):
        index.write(orders(1))


def test_untrusted_server_is_an_error_at_once(elasticsearch: MoodyElasticsearch, pauses: Pauses) -> None:
    settings = Settings(elasticsearch_url=elasticsearch.url.replace("http:", "https:"))

    with closing(BulkIndex(settings, pauses)) as index, pytest.raises(IndexingError, match="TLS"):
        index.write(orders(1))

    assert pauses.seconds == []


def test_unavailable_server_is_waited_for(pauses: Pauses) -> None:
    with serve(MoodyElasticsearch()) as elasticsearch:
        url = elasticsearch.url
    waits: list[int] = []

    def give_up() -> None:
        waits.append(1)
        if len(waits) == 3:
            raise KeyboardInterrupt

    pauses.meanwhile = give_up
    with closing(BulkIndex(Settings(elasticsearch_url=url), pauses)) as index, pytest.raises(KeyboardInterrupt):
        index.write(orders(2))

    assert len(waits) == 3


def test_error_has_no_password(elasticsearch: MoodyElasticsearch, pauses: Pauses) -> None:
    elasticsearch.moods = [Answer.error(401, "security_exception", "unable to authenticate")]
    login = Settings(
        elasticsearch_url=elasticsearch.url, elasticsearch_user="me", elasticsearch_password="secret-of-mine"
    )

    with closing(BulkIndex(login, pauses)) as index, pytest.raises(IndexingError) as failure:
        index.write(orders(1))

    assert "secret-of-mine" not in f"{failure.value!r} {failure.value.__cause__!r}"


def test_request_bodies_are_what_the_official_client_sends(elasticsearch: MoodyElasticsearch) -> None:
    """Guard the bytes that we join ourselves against a change of the client."""
    with Elasticsearch(elasticsearch.url) as client:
        client.bulk(operations=[{"index": {"_index": "orders", "_id": "o1", "version": 1}}, {"a": "ä"}])

    assert elasticsearch.requests == [[Sent("index", {"_index": "orders", "_id": "o1", "version": 1}, {"a": "ä"})]]
