"""Everything that the page shows at one moment, as plain values: built from the last answers, however old these are.

An answer that doesn't come any more stays, with the time of the last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from connectors.kafka.topics import DEAD_LETTERS
from connectors.settings import Settings
from jobs import flow
from jobs.flow import Program
from ops.frontier.observer import Picture
from ops.health.answers.brokers import NONE, Brokers
from ops.health.answers.cluster import NO_WATERMARK, Checkpoints, Tasks, metric_name
from ops.health.answers.letters import LastLetter, Letters
from ops.health.answers.rule_hits import RuleHits
from ops.health.check import Level, Result
from ops.jobs.cluster_jobs import Job
from ops.page.live_topics import Live
from ops.rules.rulesets import Published

_AnswerT = TypeVar("_AnswerT")


@dataclass(frozen=True)
class Answer(Generic[_AnswerT]):
    """The last answer to a question that is asked again and again."""

    value: _AnswerT
    at: datetime
    """When it came; if none ever came, when the question was first asked."""
    due: datetime
    """When the next one should be there at the latest."""
    reason: str = ""
    """Why none came when the question was asked last; empty if one came."""

    def renewed(self, value: _AnswerT, at: datetime, within: timedelta) -> Answer[_AnswerT]:
        """Return a new answer, the next of which should come within a time."""
        return Answer(value, at, at + within)

    def failed(self, reason: str) -> Answer[_AnswerT]:
        """Return the same answer, now that none has come."""
        return replace(self, reason=reason)

    def is_silent(self, now: datetime) -> bool:
        """Return whether the answer should have been renewed."""
        return bool(self.reason) or now > self.due


@dataclass(frozen=True)
class Silence:
    """Something that isn't known any more."""

    since: datetime
    reason: str
    subjects: tuple[str, ...]
    """What isn't known: checks, by their ids, or other parts of the page."""


@dataclass(frozen=True)
class Finding:
    """A check's result of one subject, as old as it may be."""

    result: Result
    level: Level
    """The result's; unknown if the check can't be made any more."""
    silent_since: datetime | None = None


@dataclass(frozen=True)
class PartitionTime:
    """Event time of a partition as a job sees it."""

    partition: str
    watermark: int | None
    """UTC milliseconds; None before the first."""
    behind_seconds: float | None
    """How far it is behind the newest record of the partition."""


@dataclass(frozen=True)
class Box:
    """A program of the data flow; or, without a program, what belongs to the whole deployment."""

    program: Program | None
    level: Level
    findings: tuple[Finding, ...] = ()
    """The worst first."""
    lag_seconds: float | None = None
    """Age of the first record that it hasn't read; of the topic in which that is oldest."""
    stale_seconds: float | None = None
    """For how long readers have lacked a record in what it fills."""
    silent_since: datetime | None = None
    """Time of the last answer about its lag, if none comes any more."""
    partitions: tuple[PartitionTime, ...] = ()
    checkpoints: Checkpoints | None = None
    letters: tuple[LastLetter, ...] = ()
    flink_url: str = ""
    """Its job in Flink's web UI."""

    @property
    def name(self) -> str:
        """Name of the program."""
        return self.program.name if self.program else DEPLOYMENT


@dataclass(frozen=True)
class RuleLine:
    """A rule of the ruleset in force."""

    name: str
    status: str
    """active, shadow or off."""
    description: str
    hits: int | None
    """How often it fired, or would have, in the last hour; None if that isn't known."""


@dataclass(frozen=True)
class Snapshot:
    """What the page shows."""

    at: datetime
    boxes: tuple[Box, ...]
    """Programs in the order of the data flow, then the deployment."""
    live: Live
    newest: Mapping[str, int]
    """Largest timestamp of a record by topic, in UTC milliseconds."""
    rules: tuple[RuleLine, ...]
    ruleset: str
    """Which version of the rules is in force, in words."""
    silences: tuple[Silence, ...]
    evaluated_at: datetime | None
    """When the checks were evaluated last."""
    refresh_seconds: float = 0.0
    """Time between two evaluations of the checks."""
    cpu_share: float = 0.0
    """Share of a core that the page has used since its start."""
    picture: Picture | None = None
    """Event times up to which everything is in each sink."""
    unmade: int = 0
    """Number of checks that can't be made, and never had a result."""

    @property
    def levels(self) -> dict[Level, int]:
        """Number of findings of each level; a check that was never made is one that is unknown."""
        found = [finding.level for box in self.boxes for finding in box.findings]
        found += [Level.UNKNOWN] * self.unmade
        return {level: found.count(level) for level in Level}


DEPLOYMENT = "deployment"
"""Name of the box without a program."""
_BY_AREA: Mapping[str, Program] = {
    "capture": flow.CAPTURE,
    "rules": flow.FRAUD_DETECTION,
    "search": flow.SEARCH_INDEX,
    "warehouse": flow.WAREHOUSE,
}
"""Programs by the first word of a check's id."""
_BY_CHECK: Mapping[str, Program] = {
    "sink-orders": flow.ORDER_ENRICHMENT,
    "sink-warehouse": flow.WAREHOUSE,
    "sink-search": flow.SEARCH_INDEX,
    "sink-mail": flow.NOTIFIER,
}
_BY_NAME: Mapping[str, Program] = {
    **{topic.name: program for program in flow.PROGRAMS for topic in program.writes},
    **{topic.subject: program for program in flow.PROGRAMS for topic in program.writes},
    **{program.target: program for program in flow.PROGRAMS if program.target},
    "Kafka Connect": flow.CAPTURE,
    "shop's database": flow.CAPTURE,
    **{program.name: program for program in flow.PROGRAMS},
}
"""Programs by what a result can be about."""


def owner(result: Result) -> Program | None:
    """Return the program that a result is about, if it is about one."""
    check = result.check.id
    by_check = _BY_CHECK.get(check) or _BY_AREA.get(check.partition("-")[0])
    return by_check or _BY_NAME.get(result.subject.partition(": ")[0])


@dataclass
class Answers:
    """Last answers to all questions: what a snapshot is built from."""

    live: Answer[Live]
    checks: dict[str, Answer[Sequence[Result]]]
    """Results by the check's id."""
    parts: dict[str, Answer[Any]]
    """Answers of services by the attribute of `ops.health.scope.Scope`, and the frontiers; see `NOTHING`."""
    evaluated_at: datetime | None = None
    refresh_seconds: float = 0.0


NOTHING: Mapping[str, Any] = {
    "brokers": Brokers(),
    "jobs": (),
    "tasks": (),
    "checkpoints": (),
    "letters": Letters(),
    "rule_hits": RuleHits(),
    "shadow_hits": {},
    "rulesets": (),
    "picture": None,
}
"""Answers that a snapshot needs besides results, each with what stands for it while there is none."""


def nothing_known(checks: Sequence[str], now: datetime, within: timedelta) -> Answers:
    """Return answers to none of the questions, which should come within a time.

    Args:
        checks: ids.
    """
    due = now + within
    return Answers(
        Answer(Live(), now, due),
        {each: Answer((), now, due) for each in checks},
        {name: Answer(value, now, due) for name, value in NOTHING.items()},
    )


def snapshot(answers: Answers, settings: Settings, now: datetime, cpu_share: float = 0.0) -> Snapshot:
    """Return what the page shows now."""
    findings = [finding for answer in answers.checks.values() for finding in _findings(answer, now)]
    owners = [owner(finding.result) for finding in findings]
    boxes = []
    for program in (*flow.PROGRAMS, None):
        own = [finding for finding, its in zip(findings, owners, strict=True) if its == program]
        boxes.append(_box(program, own, answers, settings, now))
    brokers: Brokers = answers.parts["brokers"].value
    newest: dict[str, int] = {}
    for partition, time in brokers.newest.items():
        if time != NONE:
            newest[partition.topic] = max(time, newest.get(partition.topic, time))
    lines, version = _rules(answers, now)
    return Snapshot(
        at=now,
        boxes=tuple(boxes),
        live=answers.live.value,
        newest=newest,
        rules=lines,
        ruleset=version,
        silences=_silences(answers, now),
        evaluated_at=answers.evaluated_at,
        refresh_seconds=answers.refresh_seconds,
        cpu_share=cpu_share,
        picture=answers.parts["picture"].value,
        unmade=sum(answer.is_silent(now) and not answer.value for answer in answers.checks.values()),
    )


def _findings(answer: Answer[Sequence[Result]], now: datetime) -> list[Finding]:
    """Return what a check found of each subject; nothing if there is nothing to measure, or was never an answer."""
    since = answer.at if answer.is_silent(now) else None
    return [
        Finding(result, Level.UNKNOWN if since else result.level, since) for result in answer.value if result.subject
    ]


def _box(
    program: Program | None, findings: Sequence[Finding], answers: Answers, settings: Settings, now: datetime
) -> Box:
    ranked = tuple(sorted(findings, key=lambda each: each.level.severity))
    is_unknown = not findings and any(answer.is_silent(now) or not answer.value for answer in answers.checks.values())
    level = min(
        (each.level for each in findings),
        key=lambda each: each.severity,
        default=Level.UNKNOWN if is_unknown else Level.OK,
    )
    if program is None:
        return Box(None, level, ranked)
    lag = answers.checks.get("lag-seconds")
    checkpoints: Sequence[Checkpoints] = answers.parts["checkpoints"].value
    letters: Letters = answers.parts["letters"].value
    jobs: Sequence[Job] = answers.parts["jobs"].value
    job = next((job for job in jobs if job.name == program.name and not job.has_ended), None)
    return Box(
        program,
        level,
        ranked,
        lag_seconds=_highest(findings, "lag-seconds"),
        stale_seconds=_highest(findings, "sink-"),
        silent_since=lag.at if lag and program.reads and lag.is_silent(now) else None,
        partitions=_partition_times(program, answers, now),
        checkpoints=next((each for each in checkpoints if each.job.job.name == program.name), None),
        letters=tuple(letters.last.get(program.name, ())),
        flink_url=f"{settings.flink_rest_url.rstrip('/')}/#/job/running/{job.id}/overview" if job else "",
    )


def _highest(findings: Sequence[Finding], check: str) -> float | None:
    values = [each.result.value for each in findings if each.result.check.id.startswith(check)]
    return max((value for value in values if value is not None), default=None)


def _partition_times(program: Program, answers: Answers, now: datetime) -> tuple[PartitionTime, ...]:
    """Return the event time of each partition that a job reads."""
    tasks: Sequence[Tasks] = answers.parts["tasks"].value
    brokers: Brokers = answers.parts["brokers"].value
    newest = {metric_name(each.topic, each.partition): time for each, time in brokers.newest.items() if time != NONE}
    now_ms = round(now.timestamp() * 1000)
    watermarks = {
        name: watermark
        for each in tasks
        if each.job.job.name == program.name
        for source in each.watermarks
        for name, watermark in source.partitions.items()
    }
    found = []
    for name, watermark in sorted(watermarks.items()):
        if watermark == NO_WATERMARK:
            found.append(PartitionTime(name, None, None))
        else:
            last = newest.get(name)
            behind = None if last is None else max(0.0, (min(last, now_ms) - watermark) / 1000)
            found.append(PartitionTime(name, watermark, behind))
    return tuple(found)


def _rules(answers: Answers, now: datetime) -> tuple[tuple[RuleLine, ...], str]:
    """Return the rules in force, those that alert first, and their version in words."""
    published: Sequence[Published] = answers.parts["rulesets"].value
    hits: RuleHits = answers.parts["rule_hits"].value
    shadow_hits: Mapping[str, int] | None = answers.parts["shadow_hits"].value
    now_ms = round(now.timestamp() * 1000)
    in_force = [each.ruleset for each in published if each.ruleset and each.ruleset.effective_from <= now_ms]
    if not in_force:
        return (), "no ruleset is in force" if published else "no ruleset is known"
    ruleset = max(in_force, key=lambda each: each.version)
    counted = {
        "active": None if hits.are_too_many else hits.last.hits,
        "shadow": shadow_hits,
        "off": {},
    }
    lines = []
    for status, numbers in counted.items():
        for rule in ruleset.rules:
            if rule.status == status:
                number = None if numbers is None else numbers.get(rule.name, 0)
                lines.append(RuleLine(rule.name, rule.status, rule.description, number))
    return tuple(lines), f"version {ruleset.version} is in force"


_IN_WORDS: Mapping[str, str] = {
    "brokers": "newest records",
    "jobs": "links to Flink",
    "tasks": "event time of partitions",
    "checkpoints": "plots of checkpoints",
    "letters": f"last records of {DEAD_LETTERS.name}",
    "rule_hits": "hits of rules",
    "shadow_hits": "hits of rules in shadow",
    "rulesets": "rules in force",
    "picture": "up to when everything is in each sink",
}
"""Parts of the page, besides checks, that need an answer."""


def _silences(answers: Answers, now: datetime) -> tuple[Silence, ...]:
    """Return what isn't known any more: what has one reason, since one second, is one silence."""
    named: list[tuple[str, Answer[Any]]] = [
        ("records a second, and alerts", answers.live),
        *answers.checks.items(),
        *((_IN_WORDS[name], answer) for name, answer in answers.parts.items()),
    ]
    grouped: dict[tuple[datetime, str], list[str]] = {}
    for name, answer in named:
        if answer.is_silent(now):
            reason = answer.reason or "it takes longer than usual"
            grouped.setdefault((answer.at.replace(microsecond=0), reason), []).append(name)
    return tuple(Silence(since, reason, tuple(names)) for (since, reason), names in sorted(grouped.items()))


@dataclass(frozen=True)
class Asked:
    """What one evaluation of the checks brought."""

    results: Sequence[Result]
    parts: Mapping[str, Any] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    """Reasons of the parts that there are none of."""


def learn(answers: Answers, asked: Asked, at: datetime, within: timedelta) -> None:
    """Let what an evaluation brought take the place of earlier answers, as far as it brought any.

    Args:
        within: time in which the next evaluation should end.
    """
    by_check: dict[str, list[Result]] = {}
    for result in asked.results:
        by_check.setdefault(result.check.id, []).append(result)
    for id_, results in by_check.items():
        before = answers.checks[id_]
        if results[0].level is Level.UNKNOWN:
            answers.checks[id_] = before.failed(results[0].detail)
        else:
            answers.checks[id_] = before.renewed(results, at, within)
    for name, value in asked.parts.items():
        answers.parts[name] = answers.parts[name].renewed(value, at, within)
    for name, reason in asked.failures.items():
        answers.parts[name] = answers.parts[name].failed(reason)
    answers.evaluated_at = at
