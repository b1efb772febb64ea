"""How do a job's records get into the search index? As an SQL function that says of each why it isn't there.

It is here and not in udfs/ because it decides nothing: it is a sink in the shape of a function, since Flink 2 has no
other for Elasticsearch.
"""

import logging
from typing import Any

import msgspec
import pandas as pd  # type: ignore[import-untyped]
from pyflink.table.udf import FunctionContext, ScalarFunction

from connectors.elasticsearch.bulk_index import BulkIndex
from connectors.elasticsearch.documents import Action, action
from connectors.settings import Settings

METRICS = ("written", "unchanged", "refused", "retries")
"""As `bulk_index.Tally` counts them, since the worker started; in Flink with `documents_` before them."""


class IndexDocuments(ScalarFunction):  # type: ignore[misc]
    """index_documents(topic, key, payload, error) → why a record isn't in the index, or NULL once it is.

    For rows that are only ever added. It runs in a process of its own, whatever the execution mode, and takes a batch
    at a time; a checkpoint begins when all that came before it has come back.
    """

    def __init__(self, settings: Settings) -> None:
        """What is sent to the cluster is how to reach Elasticsearch, and no other secret."""
        self._where = {name: value for name, value in vars(settings).items() if name.startswith("elasticsearch_")}

    def open(self, function_context: FunctionContext) -> None:
        # It tells of every request; what matters of them BulkIndex says itself.
        logging.getLogger("elastic_transport").setLevel(logging.ERROR)
        self._index = BulkIndex(Settings(**self._where))
        metrics = function_context.get_metric_group()
        for name in METRICS:
            metrics.gauge(f"documents_{name}", lambda name=name: getattr(self._index.tally, name))

    def close(self) -> None:
        self._index.close()

    def is_deterministic(self) -> bool:
        """False: the planner must neither leave out a call nor repeat one."""
        return False

    def eval(self, topics: Any, keys: Any, payloads: Any, errors: Any) -> Any:
        """Series of a batch; a record that has an error already isn't written, and its error is told again."""
        reasons: list[str | None] = list(errors)
        actions: dict[int, Action] = {}
        for number, (topic, key, payload) in enumerate(zip(topics, keys, payloads, strict=True)):
            if reasons[number] is None:
                try:
                    actions[number] = action(topic, key, payload)
                except (ValueError, msgspec.MsgspecError) as error:
                    reasons[number] = str(error)
        for number, reason in zip(actions, self._index.write(list(actions.values())), strict=True):
            reasons[number] = reason
        return pd.Series(reasons, dtype=object)
