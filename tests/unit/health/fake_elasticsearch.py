"""An Elasticsearch client over aliases in memory, with the requests that the health checks make."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Self

from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import NotFoundError


@dataclass
class FakeElasticsearch:
    """A cluster of one node."""

    newest: dict[str, float | None] = field(default_factory=dict)
    """Newest event time behind each alias."""
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    """Settings of the cluster by kind."""

    def connected(self, *_: object) -> AbstractContextManager[Self]:
        """Take the place of the function that creates a client."""
        return nullcontext(self)

    def options(self, max_retries: int) -> Self:
        assert max_retries == 0
        return self

    @property
    def cluster(self) -> Self:
        """Where the requests for the cluster's state are."""
        return self

    def health(self, index: list[str]) -> dict[str, Any]:
        assert index == ["orders-v*", "fraud-alerts-v*"]
        return {"status": "yellow", "unassigned_shards": 2}

    def get_settings(self, include_defaults: bool, flat_settings: bool) -> SimpleNamespace:
        assert include_defaults and flat_settings
        return SimpleNamespace(body={"transient": {}, "persistent": {}, "defaults": {}} | self.settings)

    def health_report(self, feature: str) -> dict[str, Any]:
        assert feature == "disk"
        return {"indicators": {"disk": {"status": "red", "symptom": "1 index is not allowed to be updated."}}}

    def search(self, index: str, size: int, track_total_hits: bool, aggs: dict[str, Any]) -> dict[str, Any]:
        assert (size, track_total_hits, aggs) == (0, False, {"newest": {"max": {"field": "event_time"}}})
        if index not in self.newest:
            meta = ApiResponseMeta(404, "1.1", HttpHeaders(), 0.1, NodeConfig("http", "localhost", 9200))
            raise NotFoundError("index_not_found_exception", meta, {})
        return {"aggregations": {"newest": {"value": self.newest[index]}}}
