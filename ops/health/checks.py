"""All checks of the deployment, in the order in which an operator would ask them."""

from collections.abc import Iterable

from ops.capture.faults import QUIET_SECONDS
from ops.health.check import MEGABYTES, SECONDS, SHARE, YES_OR_NO, Check
from ops.health.measures import dead_letters, declared, jobs, machine, rules, services, sinks, sources

UI = "Look at the job in Flink's web UI, at `MILLRACE_FLINK_REST_URL`"

CHECKS = (
    Check(
        id="service-silent",
        question="Does every service answer?",
        unit=YES_OR_NO,
        measure=services.silent,
        warn=None,
        fail=1,
        why="What a silent service serves stands still, and the checks that ask it can't be made.",
        remedy=(
            "On the local stack: `python -m local.stack status`, then `make up`, which starts what doesn't run.",
            "Elsewhere: compare the address in the message with the variables that docs/configuration.md lists.",
            "`make logs SERVICE=NAME` shows why a service of the local stack stopped.",
        ),
    ),
    Check(
        id="job-missing",
        question="Does every program run that has a consumer group?",
        unit=YES_OR_NO,
        measure=jobs.missing,
        warn=None,
        fail=1,
        why="Nothing reads its topics. Kafka keeps the records until their retention ends, and the group's offsets for "
        "a week after its last commit.",
        remedy=(
            "`python -m ops jobs list` shows how the job ended, and the command that continues a lost one.",
            "Submit it again: `python -m ops submit JOB --savepoint PATH`, a pipeline with "
            "`python -m ops sql run PIPELINE --target cluster`, the notifier with `python -m notifier`.",
            "If it was retired on purpose, delete its consumer group with Kafka's own tools.",
        ),
    ),
    Check(
        id="job-interrupted",
        question="Do all tasks of every job run?",
        unit=SECONDS,
        measure=jobs.interrupted,
        warn=1,
        fail=60,
        why="A job processes nothing until all its tasks run. A restart takes seconds; longer means that it "
        "fails again and again, or lacks slots.",
        remedy=(
            "`python -m ops jobs list` shows the state, and the last cause of a job that fails.",
            "If tasks wait for slots, start another TaskManager, or cancel what isn't needed: "
            "`python -m ops jobs cancel JOB`.",
        ),
    ),
    Check(
        id="job-restarts",
        question="How often did a job fail within ten minutes?",
        unit="failures",
        measure=jobs.restarted,
        warn=1,
        fail=3,
        why="Each restart repeats the work since the last checkpoint. One is a crash that was survived; more have a "
        "lasting cause.",
        remedy=(
            "`python -m ops jobs list` shows since when the job fails, and the last cause in full.",
            "If the cause names a service, see service-silent; if it names a record or a function, fix the job, "
            "stop it with `python -m ops jobs savepoint JOB`, and submit it again.",
        ),
    ),
    Check(
        id="checkpoint-age",
        question="How much work would a job do again after a failure?",
        unit=SECONDS,
        measure=jobs.checkpoint_age,
        warn=60,
        fail=300,
        why="Without a checkpoint offsets aren't committed, and `enriched-orders` shows no new rows; a restart goes "
        "back this far.",
        remedy=(
            f"{UI}: its checkpoints show which task doesn't confirm.",
            "See job-back-pressured: a checkpoint waits behind records that a slow sink holds up.",
        ),
    ),
    Check(
        id="checkpoint-duration",
        question="What share of its timeout does a checkpoint take?",
        unit=SHARE,
        measure=jobs.checkpoint_duration,
        warn=0.5,
        fail=0.8,
        why="A checkpoint that exceeds its timeout fails; state that grows, or a slow disk, shows here first.",
        remedy=(
            f"{UI}: its checkpoints show size and duration of each task.",
            "See job-skew: one key with much state makes one subtask slow.",
            "Raise `execution.checkpointing.timeout` for the next submission: "
            "`python -m ops submit JOB -D execution.checkpointing.timeout=5min`.",
        ),
    ),
    Check(
        id="checkpoint-failures",
        question="How many checkpoints of a job failed in a row?",
        unit="checkpoints",
        measure=jobs.checkpoint_failures,
        warn=1,
        fail=3,
        why="The fourth failure in a row restarts the job, which goes back to the last checkpoint that was completed.",
        remedy=(
            "`python -m ops health --only checkpoint-failures` shows the last reason.",
            "If it is a timeout, see checkpoint-duration; if it is about a file, check space and rights of the "
            "checkpoints' folder.",
        ),
    ),
    Check(
        id="checkpoint-growth",
        question="How large is a job's state against its median?",
        unit="times the median",
        measure=jobs.checkpoint_growth,
        warn=3,
        fail=None,
        why="State that grows without end fills the heap, and makes checkpoints and restarts slow. A state below 50 MB "
        "isn't compared.",
        remedy=(
            f"{UI}: its checkpoints show the size of each task's state.",
            "`python -m ops topics keys payments` shows whether one key has most records; so for other topics.",
            "If more comes for good, raise `taskmanager.memory.process.size`, or choose rocksdb for the state.",
        ),
    ),
    Check(
        id="job-busy",
        question="What share of its time does a job's busiest step work?",
        unit=SHARE,
        measure=jobs.busy,
        warn=0.9,
        fail=None,
        why="A step that works all the time falls behind as soon as more comes. While a job catches up this is normal.",
        remedy=(
            "See lag-seconds: if it shrinks, wait.",
            "`python -m ops jobs savepoint JOB`, then submit the job again from it with a larger `--parallelism`.",
        ),
    ),
    Check(
        id="job-back-pressured",
        question="What share of its time does a step wait for the one after it?",
        unit=SHARE,
        measure=jobs.back_pressured,
        warn=0.5,
        fail=None,
        why="A later step, often a sink, takes less than arrives. The first step after it in the job that isn't "
        "back-pressured is the cause.",
        remedy=(
            f"{UI}: the busy step after the back-pressured ones is the slow one.",
            "If it is a sink, check its server: `python -m ops search status`, `python -m ops warehouse status`.",
        ),
    ),
    Check(
        id="job-skew",
        question="Does one subtask get most of a step's records?",
        unit="times the average",
        measure=jobs.skew,
        warn=1.8,
        fail=None,
        why="More parallelism doesn't help a step whose records have one key: its subtask sets the pace for all.",
        remedy=(
            "`python -m ops topics keys payments` shows the share of the most frequent key; so for other topics.",
            "Find out what that key is: often a default value, or a test account.",
        ),
    ),
    Check(
        id="lag-seconds",
        question="How old is the first record that a program hasn't read?",
        unit=SECONDS,
        measure=sources.lag_in_seconds,
        warn=60,
        fail=300,
        why="Results are at least this late. By the record's timestamp: a late event or a replayed dead letter that "
        "has just come looks old, too. Up to the interval of checkpoints is normal, since they commit offsets.",
        remedy=(
            "`python -m ops health --only lag-seconds --watch 10` shows whether it grows.",
            "See job-missing, job-interrupted and job-back-pressured: the program may not run, or wait for a sink.",
            "If it runs and is busy, it needs more parallelism: job-busy.",
        ),
    ),
    Check(
        id="lag-records",
        question="How many records has a program yet to read?",
        unit="records",
        measure=sources.lag_in_records,
        warn=100_000,
        fail=None,
        why="It is the work that is left; lag-seconds says whether it matters. A partition that has nearly all of it "
        "points to a hot key.",
        remedy=(
            "`python -m ops health --only lag-records --watch 10` shows how fast it shrinks.",
            "`python -m ops topics keys payments` compares the partitions of a topic.",
        ),
    ),
    Check(
        id="commits-failed",
        question="What share of the commits of its offsets does a source fail to make?",
        unit=SHARE,
        measure=sources.failed_commits,
        warn=0.1,
        fail=None,
        why="Nothing is lost, since a job continues from its checkpoint, but lag is measured by these offsets, and a "
        "job without a savepoint begins there.",
        remedy=(
            "See service-silent and partition-leaderless: the group's coordinator may be unavailable.",
            "Check whether the job's user may use its consumer group, if the brokers have access rules.",
        ),
    ),
    Check(
        id="event-time",
        question="How far is event time behind the newest record?",
        unit=SECONDS,
        measure=sources.event_time,
        warn=60,
        fail=600,
        why="Windows close, and joins decide, only when event time passes. One partition can hold it back for all; one "
        "without records does so until it counts as idle.",
        remedy=(
            "`python -m ops health --only event-time` names the partition that is the last.",
            "See lag-seconds: a partition that is read slowly has old event time.",
            "If it lags by far more than it is read late, a producer sends old timestamps there: "
            "`python -m ops dead-letters count --from late-payments`.",
        ),
    ),
    Check(
        id="transaction-open",
        question="How long has a transaction been open that readers wait for?",
        unit=SECONDS,
        measure=sources.open_transactions,
        warn=60,
        fail=300,
        why="Nobody who reads committed records gets past its first one, while lag shows nothing. What a crashed job "
        "has written is lost when its transaction ends, after 15 minutes.",
        remedy=(
            "See job-missing and job-interrupted: a job that continues from its last checkpoint ends its transactions.",
            "See checkpoint-age: a job that runs ends a transaction with each checkpoint.",
            "If its program is gone for good, wait for the timeout, or end it with Kafka's own tools.",
        ),
    ),
    Check(
        id="late-share",
        question="What share of the records is late?",
        unit=SHARE,
        measure=sources.late_share,
        warn=0.01,
        fail=0.1,
        why="A late record takes no part in decisions. By the records' times: those that are more than an hour late "
        "aren't counted.",
        remedy=(
            "`python -m ops dead-letters count --from late-payments --since 1h` shows which job set them aside.",
            "If producers are rightly this late, raise `MILLRACE_WATERMARK_DELAY_SECONDS` and submit the job again.",
        ),
    ),
    Check(
        id="sink-orders",
        question="For how long have readers of enriched orders lacked an order?",
        unit=SECONDS,
        measure=sinks.enriched_orders,
        warn=120,
        fail=600,
        why="Revenue, search, warehouse and notifications begin with `enriched-orders`. An order waits for capture, a "
        "minute at most, and for the checkpoint that shows it.",
        remedy=(
            "See checkpoint-age and transaction-open: readers see an order when its transaction is committed.",
            "See capture-heartbeat and event-time: orders wait for both.",
            "`python -m ops dead-letters list --since 1h` shows whether the order was rejected a moment ago.",
        ),
    ),
    Check(
        id="sink-warehouse",
        question="For how long has the warehouse lacked a row?",
        unit=SECONDS,
        measure=sinks.warehouse,
        warn=120,
        fail=600,
        why="Reports show less than has happened, and nothing else says so.",
        remedy=(
            "See lag-seconds and job-back-pressured: if the job is behind, PostgreSQL is too slow for it.",
            "`python -m ops warehouse status` shows the newest event of each table.",
            "If the job has read all, look for rows that a trigger or another writer has removed.",
        ),
    ),
    Check(
        id="sink-search",
        question="For how long has the search index lacked a document?",
        unit=SECONDS,
        measure=sinks.search,
        warn=120,
        fail=600,
        why="Searches find less than has happened, and nothing else says so.",
        remedy=(
            "See lag-seconds and job-back-pressured: if the job is behind, Elasticsearch refuses or is too slow.",
            "`python -m ops search status` shows whether the alias stands for another index, or takes no documents.",
            "`python -m ops search rebuild orders` fills a new index from the topic.",
        ),
    ),
    Check(
        id="sink-mail",
        question="For how long has a notification waited to be sent?",
        unit=SECONDS,
        measure=sinks.mails,
        warn=120,
        fail=600,
        why="A warning of fraud is useful while the card is being used. A mail that the server refuses for now is "
        "tried for about 8 minutes.",
        remedy=(
            "See service-silent: the notifier waits for a mail server that is unavailable.",
            "The notifier's own line shows what waits, and the mail server's last answer.",
        ),
    ),
    Check(
        id="dead-letters-recent",
        question="How many records of the last hour did a job reject?",
        unit="dead letters",
        measure=dead_letters.recent,
        warn=1,
        fail=100,
        why="A rejected record has no effect until it is fixed and replayed. Many of one reason are a fault of a "
        "producer, or of a release.",
        remedy=(
            "`python -m ops dead-letters count --since 1h` shows topics and kinds of reason.",
            "`python -m ops dead-letters list --since 1h` has the ids; `python -m ops dead-letters show ID` shows one.",
            "Stop the cause first, then fix and replay: `python -m ops dead-letters replay --fix fix.py`.",
        ),
    ),
    Check(
        id="dead-letters-share",
        question="What share of a topic's records of the last hour did a job reject?",
        unit=SHARE,
        measure=dead_letters.share,
        warn=0.001,
        fail=0.05,
        why="Above some percent it is no longer a bad record but a bad producer, schema or job.",
        remedy=(
            "`python -m ops dead-letters count --since 1h` shows which reason most of them have.",
            "`python -m ops schemas check --registry` shows whether producers may send what jobs can't read.",
        ),
    ),
    Check(
        id="dead-letters-waiting",
        question="How many dead letters were not replayed?",
        unit="dead letters",
        measure=dead_letters.waiting,
        warn=100,
        fail=None,
        why="After 90 days Kafka deletes them. Of a very full topic only the last ones are counted.",
        remedy=(
            "`python -m ops dead-letters count --not-replayed` shows what is left, by reason.",
            "`python -m ops dead-letters replay --reason WORDS --fix fix.py` shows what it would send; add `--yes`.",
        ),
    ),
    Check(
        id="dead-letters-unreadable",
        question="Are there records among the dead letters that are none?",
        unit="records",
        measure=dead_letters.unreadable,
        warn=1,
        fail=None,
        why="No command can show or replay them. Only a program that isn't ours writes such records.",
        remedy=(
            "`python -m ops dead-letters count` names their partitions and offsets.",
            "Read them with Kafka's own tools, and find out who writes to the topic.",
        ),
    ),
    Check(
        id="capture-connector",
        question="Does the connector run, as declared?",
        unit="faults",
        measure=services.connector,
        warn=None,
        fail=1,
        why="Without it no change of the shop's tables reaches a topic, and orders wait for capture.",
        remedy=(
            "`python -m ops cdc status` describes each fault with what to do.",
            "`python -m ops cdc apply` starts the connector, or a failed task, and restores the configuration.",
        ),
    ),
    Check(
        id="capture-database",
        question="Is everything in the shop's database as capture needs it?",
        unit="faults",
        measure=services.shop_database,
        warn=None,
        fail=1,
        why="A missing trigger, publication or slot lets changes get lost without an error anywhere.",
        remedy=(
            "`python -m ops cdc status` describes each fault with what to do.",
            "`python -m ops cdc apply` shows a plan, and reads rows again if changes were lost.",
        ),
    ),
    Check(
        id="capture-unread",
        question="How much of the write-ahead log has capture yet to read?",
        unit=MEGABYTES,
        measure=services.unread_log,
        warn=100,
        fail=1000,
        why="The server keeps all of it, until its disk is full or the slot is invalidated, which loses changes.",
        remedy=(
            "`python -m ops cdc status` shows the slot and whether it is being read.",
            "If the connector runs, let it catch up; a long transaction or a bulk load is read as a whole.",
        ),
    ),
    Check(
        id="capture-heartbeat",
        question="How long ago did the last change arrive?",
        unit=SECONDS,
        measure=services.heartbeat_age,
        warn=10,
        fail=QUIET_SECONDS,
        why="The connector writes a heartbeat every second, so silence means that no change arrives, whatever Connect "
        "reports.",
        remedy=(
            "`python -m ops cdc status` tells apart the connector, the database and Kafka.",
            "`python -m ops cdc apply` repairs what it can.",
        ),
    ),
    Check(
        id="partition-leaderless",
        question="Does every partition have a leader?",
        unit="partitions",
        measure=services.leaderless,
        warn=None,
        fail=1,
        why="Nobody can read or write a partition without a leader, and event time waits for it.",
        remedy=(
            "Start the broker that has its replicas; on the local stack: `make up`.",
            "`make logs SERVICE=kafka` shows why it stopped there.",
        ),
    ),
    Check(
        id="partition-under-replicated",
        question="Are all replicas in sync?",
        unit="partitions",
        measure=services.under_replicated,
        warn=1,
        fail=None,
        why="One more failure can lose what only the leader has, or make the partition unavailable.",
        remedy=(
            "Look for a broker that is down or slow with Kafka's own tools.",
            "`python -m ops topics list` shows whether brokers refuse records because too few replicas are in sync.",
        ),
    ),
    Check(
        id="warehouse-schema",
        question="Does the warehouse have the tables of this release?",
        unit="faults",
        measure=services.warehouse_schema,
        warn=None,
        fail=1,
        why="The warehouse's job writes columns that aren't there, fails, and restarts without end.",
        remedy=(
            "`python -m ops warehouse migrate` shows a plan, and applies what is missing.",
            "`python -m ops warehouse status` shows the version that it has.",
        ),
    ),
    Check(
        id="search-index",
        question="Is every search index as declared, and does it take documents?",
        unit="faults",
        measure=services.search_indices,
        warn=None,
        fail=1,
        why="The job waits without end for an index that takes no documents, and rejects what a mapping doesn't know.",
        remedy=(
            "`python -m ops search status` describes each fault with what to do.",
            "`python -m ops search apply` creates what is missing, and adds fields.",
            "If it is a block, see search-disk: Elasticsearch ends its own block when the disk has space.",
        ),
    ),
    Check(
        id="search-shards",
        question="Can all documents of the search index be read?",
        unit=YES_OR_NO,
        measure=services.search_shards,
        warn=None,
        fail=1,
        why="A shard without a node can't be searched, and takes no documents, for which the job waits.",
        remedy=(
            "Start the node that has the shard; on the local stack: `make up`.",
            "`make logs SERVICE=elasticsearch` shows why it stopped there.",
            "If its data is lost, fill the index again: `python -m ops search rebuild orders`.",
        ),
    ),
    Check(
        id="search-disk",
        question="Do Elasticsearch's disks have space?",
        unit="watermarks",
        measure=services.search_disks,
        warn=1,
        fail=2,
        why="Above the high watermark Elasticsearch moves shards away; above the flood stage it blocks every index on "
        "the disk. Where these limits are switched off, as on the local stack, nothing is exceeded.",
        remedy=(
            "Delete indices that a rebuild has left, which `python -m ops search status` shows, or enlarge the disk.",
            "See search-index: it shows indices that are blocked already.",
        ),
    ),
    Check(
        id="disk-checkpoints",
        question="How full is the disk with checkpoints and savepoints?",
        unit=SHARE,
        measure=machine.checkpoint_disks,
        warn=0.9,
        fail=0.97,
        why="On a full disk no checkpoint is completed. Of a disk larger than 100 GB its last 100 GB count.",
        remedy=(
            "Delete savepoints, and checkpoints of jobs that were cancelled, that nobody will continue from.",
            "See checkpoint-growth: state that grows needs a larger disk, or an end.",
        ),
    ),
    Check(
        id="disk-stack",
        question="How full is the disk with the local stack's data?",
        unit=SHARE,
        measure=machine.stack_disk,
        warn=0.9,
        fail=0.97,
        why="Kafka and PostgreSQL stop when they can't write. Of a disk larger than 100 GB its last 100 GB count.",
        remedy=(
            "`python -m local.stack status` shows the services; their logs and data are in `MILLRACE_STATE`.",
            "Delete what else is on the disk, or set `MILLRACE_STATE` to a folder on a larger one.",
        ),
    ),
    Check(
        id="taskmanager-collecting",
        question="What share of its time does a TaskManager collect garbage?",
        unit=SHARE,
        measure=machine.garbage_collection,
        warn=0.2,
        fail=None,
        why="It is the surest sign of a heap that is too small for the state in it: tasks stand still meanwhile.",
        remedy=(
            "See taskmanager-heap and checkpoint-growth: they show whether it is state that fills the heap.",
            "Raise `taskmanager.memory.process.size` in `flink-conf/config.yaml`, or choose rocksdb for the state.",
        ),
    ),
    Check(
        id="taskmanager-heap",
        question="What share of its heap does a TaskManager use?",
        unit=SHARE,
        measure=machine.heap,
        warn=0.95,
        fail=None,
        why="When it is full of what is still needed, the TaskManager ends. Garbage that was not collected yet counts, "
        "so that a high share for a moment is normal.",
        remedy=(
            "`python -m ops health --only taskmanager-heap --watch 10` shows whether the share stays high.",
            "See taskmanager-collecting: if that is high as well, the heap is too small.",
        ),
    ),
    Check(
        id="taskmanager-metaspace",
        question="What share of its metaspace does a TaskManager use?",
        unit=SHARE,
        measure=machine.metaspace,
        warn=0.97,
        fail=None,
        why="Each submission loads classes; if those of ended jobs can't be unloaded, the TaskManager ends.",
        remedy=(
            "Restart the TaskManager: jobs continue from their last checkpoints.",
            "Raise `taskmanager.memory.jvm-metaspace.size` in `flink-conf/config.yaml`.",
        ),
    ),
    Check(
        id="taskmanager-process",
        question="How much of its process memory does a TaskManager use, with its Python workers?",
        unit=SHARE,
        measure=machine.process_memory,
        warn=1,
        fail=None,
        why="A container that uses more than it may is killed. The JVM keeps to its part; Python, in threads or in "
        "workers of their own, keeps to none.",
        remedy=(
            "`python -m ops health --only taskmanager-process --watch 10` shows whether it grows.",
            "If it grows without end, a Python function keeps too much: restart the TaskManager meanwhile.",
            "If not, raise `taskmanager.memory.jvm-overhead.min` and `taskmanager.memory.process.size`.",
        ),
    ),
    Check(
        id="topic-missing",
        question="Does every declared topic exist, and take records?",
        unit="faults",
        measure=declared.missing_topics,
        warn=None,
        fail=1,
        why="A job without its topic fails, and one whose records are refused restarts without end.",
        remedy=(
            "`python -m ops topics apply` shows a plan, and creates what is missing.",
            "`python -m ops topics list` shows what makes a topic unusable.",
        ),
    ),
    Check(
        id="topic-differs",
        question="Is every topic as declared?",
        unit="differences",
        measure=declared.differing_topics,
        warn=1,
        fail=None,
        why="A shorter retention deletes records that are still needed; another number of partitions moves keys.",
        remedy=(
            "`python -m ops topics list` shows the differences.",
            "`python -m ops topics apply` restores the declaration; if the change was right, declare it instead.",
        ),
    ),
    Check(
        id="schema-refused",
        question="Can earlier records be read by every schema?",
        unit=YES_OR_NO,
        measure=declared.refused_schemas,
        warn=None,
        fail=1,
        why="Jobs of this release reject records that earlier ones accepted.",
        remedy=(
            "`python -m ops schemas check --registry` shows which version's records can't be read, and where.",
            "Make the change compatible, or give the event another type, before the release goes out.",
        ),
    ),
    Check(
        id="schema-unregistered",
        question="Is every schema registered and guarded?",
        unit=YES_OR_NO,
        measure=declared.unregistered_schemas,
        warn=1,
        fail=None,
        why="The registry can't stop others from publishing what readers would reject.",
        remedy=(
            "`python -m ops schemas register` registers all, with the rule that guards them.",
            "`python -m ops schemas check --registry` shows what is left.",
        ),
    ),
    Check(
        id="rules-missing",
        question="Is a ruleset in force?",
        unit=YES_OR_NO,
        measure=rules.missing,
        warn=None,
        fail=1,
        why="Without one the fraud job can't judge a payment, and restarts until there is one.",
        remedy=(
            "`python -m ops rulesets list` shows all versions and from when they apply.",
            "`python -m ops rulesets publish udfs/fraud/rulesets/default.toml` publishes the default rules.",
        ),
    ),
    Check(
        id="rules-rejected",
        question="Was the last publication of rules accepted?",
        unit="rejected publications",
        measure=rules.rejected,
        warn=None,
        fail=1,
        why="Every job ignores a rejected version, so the rules that its author wants aren't in force.",
        remedy=(
            "`python -m ops rulesets list` shows the mistakes, and who published it.",
            "Correct the file, check it with `python -m ops rulesets publish mine.toml --dry-run`, and publish it.",
            "`python -m ops rulesets rollback 1` publishes an earlier version again.",
        ),
    ),
    Check(
        id="rules-hits",
        question="Does a rule fire far more or far less often than an hour before?",
        unit="times the hour before",
        measure=rules.hit_rate,
        warn=3,
        fail=None,
        why="A threshold with a digit too many, or a field that a producer fills differently, shows here before "
        "analysts complain. An attack does as well. Only rules with 30 alerts in one of the hours are compared.",
        remedy=(
            "`python -m ops rulesets list` shows whether a version came into force meanwhile.",
            "`python -m ops search find --rule NAME --today` shows the alerts of a rule.",
            "If the rules are wrong, `python -m ops rulesets rollback 1` publishes an earlier version again.",
        ),
    ),
)
"""Checks, each once."""

_AREAS = {
    "service": "Services",
    "job": "Jobs",
    "checkpoint": "Jobs",
    "lag": "Sources",
    "event": "Sources",
    "late": "Sources",
    "commits": "Sources",
    "transaction": "Sources",
    "sink": "Sinks",
    "dead": "Dead letters",
    "capture": "Capture",
    "warehouse": "Warehouse and search index",
    "search": "Warehouse and search index",
    "disk": "Disks and memory",
    "taskmanager": "Disks and memory",
    "partition": "Kafka",
    "topic": "Declarations",
    "schema": "Declarations",
    "rules": "Rules",
}


def by_area(checks: Iterable[Check]) -> dict[str, list[Check]]:
    """Return checks by subject area, which the first word of their ids decides."""
    areas: dict[str, list[Check]] = {}
    for check in checks:
        areas.setdefault(_AREAS[check.id.partition("-")[0]], []).append(check)
    return areas
