"""Writes a job's records to the search index, as an SQL function that returns why a record isn't there.

It is here and not in udfs/ because it decides nothing: it is a sink in the shape of a function, since Flink 2 has no
Elasticsearch sink.
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
"""Counters of `bulk_index.Tally` since the start of the worker; in Flink they have the prefix `documents_`."""


class IndexDocuments(ScalarFunction):  # type: ignore[misc]
    """index_documents(topic, key, payload, error) → why a record isn't in the index, or NULL once it is.

    For append-only rows. It runs in its own process, whatever the execution mode, and takes a batch at a time; a
    checkpoint begins when the results of all earlier rows have come back.
    """

    def __init__(self, settings: Settings) -> None:
        """Keep only the settings of Elasticsearch, so that no other secret is sent to the cluster."""
        self._where = {name: value for name, value in vars(settings).items() if name.startswith("elasticsearch_")}

    def open(self, function_context: FunctionContext) -> None:
        # The client logs every request; BulkIndex itself logs what matters.
        logging.getLogger("elastic_transport").setLevel(logging.ERROR)
        self._index = BulkIndex(Settings(**self._where))
        metrics = function_context.get_metric_group()
        for name in METRICS:
            metrics.gauge(f"documents_{name}", lambda name=name: getattr(self._index.tally, name))

    def close(self) -> None:
        self._index.close()

    def is_deterministic(self) -> bool:
        """Return False: the planner must neither leave out a call nor repeat one."""
        return False

    def eval(self, topics: Any, keys: Any, payloads: Any, errors: Any) -> Any:
        """Write a batch, given as Series; a record that already has an error isn't written, and its error is
        returned."""
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
