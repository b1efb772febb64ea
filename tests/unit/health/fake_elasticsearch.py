"""An Elasticsearch client over aliases in memory, with the requests that the health checks make."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Self

from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import NotFoundError


@dataclass
class FakeElasticsearch:
    """A cluster of one node."""

    newest: dict[str, float | None] = field(default_factory=dict)
    """Newest event time behind each alias."""

    def connected(self, *_: object) -> AbstractContextManager[Self]:
        """Take the place of the function that creates a client."""
        return nullcontext(self)

    def options(self, max_retries: int) -> Self:
        assert max_retries == 0
        return self

    def search(self, index: str, size: int, track_total_hits: bool, aggs: dict[str, Any]) -> dict[str, Any]:
        assert (size, track_total_hits, aggs) == (0, False, {"newest": {"max": {"field": "event_time"}}})
        if index not in self.newest:
            meta = ApiResponseMeta(404, "1.1", HttpHeaders(), 0.1, NodeConfig("http", "localhost", 9200))
            raise NotFoundError("index_not_found_exception", meta, {})
        return {"aggregations": {"newest": {"value": self.newest[index]}}}
