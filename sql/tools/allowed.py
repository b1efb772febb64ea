"""Statements that a pipeline's file may contain, by Flink's names for their kinds, and settings that it can't touch."""

OPERATIONS = frozenset(
    {
        "AddJarOperation",
        "AlterTableChangeOperation",
        "CreateCatalogFunctionOperation",
        "CreateDatabaseOperation",
        "CreateTableOperation",
        "CreateTempSystemFunctionOperation",
        "CreateViewOperation",
        "DropCatalogFunctionOperation",
        "DropDatabaseOperation",
        "DropTableOperation",
        "DropTempSystemFunctionOperation",
        "DropViewOperation",
        "UseCatalogOperation",
        "UseDatabaseOperation",
    }
)
"""What Flink's parser makes of the statements that may stand before the inserts: they change what Flink knows, and
neither read nor write data."""
QUERY = "PlannerQueryOperation"
FIRST_WORDS = frozenset({"ADD", "ALTER", "CREATE", "DROP", "SET", "USE"})
"""How such a statement begins."""
_NO_WRITING = "it would write while the pipeline is only planned; write CREATE TABLE, then INSERT INTO"
_CONTENTS = (
    "a pipeline contains SET, CREATE and DROP of tables, views, functions and databases, ALTER of a table's columns "
    "and options, USE, ADD JAR, and one INSERT or statement set"
)
_INSTEAD = {
    QUERY: "the rows of a query by itself go nowhere in a job; write INSERT INTO … SELECT",
    "CreateTableASOperation": _NO_WRITING,
    "ReplaceTableAsOperation": _NO_WRITING,
    "CreateMaterializedTableOperation": "it would start a job of its own; write CREATE TABLE, then INSERT INTO",
    "CreateCatalogOperation": "its tables would be asked for elsewhere while the pipeline is only planned; write "
    "CREATE TABLE for those that are used",
}
_STREAM = "a pipeline is a streaming job; "
_PLACE_IN_PLAN = "a savepoint's state is found by the uids that it makes, which `ops sql plan` compares; leave it out"
_ELSEWHERE = "where a pipeline runs is set when it is submitted; leave it out"
_CLUSTER_S = "where a job's state lies is the cluster's to choose, and a lost job is looked for there; leave it out"
_ENDED = "with FALSE what a source that ends brought last is never committed; leave it out"
_START = "each start of the pipeline would go back there; set it for one start: --savepoint PATH"
_KEYS = {
    "execution.checkpointing.approximate-local-recovery": (
        {"false"},
        "with TRUE a restart loses records; leave it out",
    ),
    "execution.checkpointing.checkpoints-after-tasks-finish": ({"true"}, _ENDED),
    "execution.checkpointing.checkpoints-after-tasks-finish.enabled": ({"true"}, _ENDED),
    "execution.checkpointing.create-subdir": (
        {"true"},
        "with FALSE jobs overwrite each other's checkpoints; leave it out",
    ),
    "execution.checkpointing.dir": (set(), _CLUSTER_S),
    "execution.checkpointing.externalized-checkpoint-retention": (
        {"retain_on_cancellation"},
        "with any other value a job that ends loses its state; leave it out, and delete by hand what isn't needed",
    ),
    "execution.checkpointing.mode": (
        {"exactly_once"},
        "with any other value a restart counts records twice; leave it out",
    ),
    "execution.checkpointing.savepoint-dir": (set(), _CLUSTER_S),
    "execution.checkpointing.storage": ({"filesystem"}, _CLUSTER_S),
    "execution.runtime-mode": ({"streaming"}, _STREAM + "leave it out"),
    "execution.target": (set(), _ELSEWHERE),
    "execution.attached": (set(), _ELSEWHERE),
    "pipeline.global-job-parameters": (
        set(),
        "they carry the settings by which a second run under one consumer group is refused; leave it out",
    ),
    "pipeline.name": (
        set(),
        "the job is called as its file is, and by this name a second run under one consumer group is refused; "
        "leave it out, and name the file",
    ),
    "table.exec.legacy-cast-behaviour": (
        {"disabled"},
        "with ENABLED a value that can't be cast becomes NULL without a word; leave it out, and write TRY_CAST where "
        "that is meant",
    ),
    "table.exec.sink.keyed-shuffle": (
        {"auto", "force"},
        "with NONE the changes of a key reach the sink in any order; leave it out",
    ),
    "table.exec.sink.rowtime-inserter": (
        {"enabled"},
        "with DISABLED records don't carry their event's time; leave it out, and write one time attribute",
    ),
    "table.exec.sink.type-length-enforcer": (
        {"ignore", "error"},
        "TRIM_PAD cuts texts without a word; leave it out, and write SUBSTRING where that is meant",
    ),
    "table.exec.sink.upsert-materialize": (
        {"auto", "force"},
        "with NONE an older row of a key can overwrite or delete a newer one; leave it out",
    ),
    "table.exec.uid.format": (set(), _PLACE_IN_PLAN),
    "table.exec.uid.generation": ({"always"}, _PLACE_IN_PLAN),
    "table.exec.sink.not-null-enforcer": (
        {"error"},
        "DROP loses rows without a word; leave it out, and filter rows with WHERE … IS NOT NULL",
    ),
    "table.local-time-zone": (
        {"utc"},
        "the times of records and dead letters are written as UTC; leave it out, and write CONVERT_TZ where another "
        "zone is meant",
    ),
    "table.sql-dialect": ({"default"}, "a pipeline is written in Flink's own SQL; leave it out"),
}
"""By key: values that change nothing, and why it can't have another."""
_BEGINNINGS = {
    "execution.savepoint": _START,
    "execution.state-recovery.": _START,
    "jobmanager.": _ELSEWHERE,
    "rest.": _ELSEWHERE,
    "restart-strategy": "by the cluster's a job restarts by itself however long a fault lasts; leave it out",
    "state.backend.fs.checkpointdir": _CLUSTER_S,
    "state.checkpoint-storage": _CLUSTER_S,
    "state.checkpoints.": _CLUSTER_S,
    "state.savepoints.": _CLUSTER_S,
    "table.plan.": _PLACE_IN_PLAN,
}


def why_not_allowed(operation: str) -> str | None:
    """Why a kind of statement can't stand before the inserts; nothing if it can.

    Args:
        operation: what Flink's parser calls it.
    """
    if operation in OPERATIONS:
        return None
    return f"{_INSTEAD[operation]}; {_CONTENTS}" if operation in _INSTEAD else _CONTENTS


def why_not_set(key: str, value: str) -> str | None:
    """Why a file can't set this key to this value; nothing if it can."""
    for beginning, reason in _BEGINNINGS.items():
        if key.startswith(beginning):
            return reason
    harmless, reason = _KEYS.get(key, (set(), ""))
    return reason if reason and value.lower() not in harmless else None
