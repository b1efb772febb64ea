"""Names of drafted events, topics, fields, pipelines, jobs and rules: their form, and names derived from them."""

import builtins
import keyword
import re
from dataclasses import dataclass
from typing import Any

import click
from msgspec import inspect

from connectors.kafka import topics
from connectors.kafka.topics import TOPICS, Topic
from events import base
from ops.new.columns import Column, sql_type

PYTHON = ".venv/bin/python -m"
TOPICS_FILE = "connectors/kafka/topics.py"
EXAMPLES: dict[str, object] = {
    "Identifier": "{}-1",
    "Country": "DE",
    "Currency": "EUR",
    "EventTime": 0,
    "MinorUnits": 100,
    "bool": True,
    "float": 1.0,
    "int": 1,
    "str": "{}-1",
}
"""Types that a drafted field can have, of `events/base.py` or Python's own, each with a value; `{}` is the field."""


@dataclass(frozen=True)
class Field:
    """A field of a drafted event, beside those of every event."""

    name: str
    type: str

    @property
    def example(self) -> Any:
        """Value that the field can have."""
        example = EXAMPLES[self.type]
        return example.format(self.name.removesuffix("_id")) if isinstance(example, str) else example

    @property
    def column(self) -> Column:
        """Column that holds the field."""
        declared = getattr(base, self.type, None) or getattr(builtins, self.type)
        return Column(self.name, sql_type(inspect.type_info(declared)))


def camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def constant_of(topic: str) -> str:
    return table_of(topic).upper()


def table_of(topic: str) -> str:
    return re.sub("[-.]", "_", topic)


def declared_as(topic: Topic) -> str:
    """Return the topic's name in `connectors/kafka/topics.py`."""
    return next(name for name, value in vars(topics).items() if value is topic)


class Name(click.ParamType[str]):
    """A name of lower-case words that both Python and SQL take."""

    name = "NAME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        text = str(value)
        if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", text) or keyword.iskeyword(text) or len(text) > 64:
            self.fail(f"{text!r} is no name; write lower-case words, at most 64 letters, like late_refunds", param, ctx)
        return text


class NewTopic(click.ParamType[str]):
    """The name of a topic that isn't declared yet."""

    name = "TOPIC"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        text = str(value)
        if not re.fullmatch(r"[a-z][a-z0-9]*([-.][a-z0-9]+)*", text) or len(text) > 200:
            self.fail(
                f"{text!r} is no topic; write at most 200 lower-case letters and digits, like late-refunds", param, ctx
            )
        return text


class DeclaredTopic(click.ParamType[Topic]):
    """A topic of `connectors/kafka/topics.py`."""

    name = "TOPIC"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Topic:
        """Return the declared topic."""
        found = next((topic for topic in TOPICS if value in (topic, topic.name)), None)
        if found is None:
            self.fail(
                f"{TOPICS_FILE} has no topic {value!r}, but {', '.join(topic.name for topic in TOPICS)}; "
                f"`{PYTHON} ops new event NAME --topic {value} --key FIELD` declares it",
                param,
                ctx,
            )
        return found


class NewField(click.ParamType[Field]):
    """A field as NAME=TYPE."""

    name = "NAME=TYPE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Field:
        """Return the field."""
        if isinstance(value, Field):
            return value
        name, _, type_ = str(value).partition("=")
        if type_ not in EXAMPLES:
            self.fail(f"{value!r} has no type; write NAME=TYPE with one of {', '.join(EXAMPLES)}", param, ctx)
        return Field(field_name(ctx, param, name), type_)


def field_name(ctx: click.Context | None, param: click.Parameter | None, name: str) -> str:
    """Check the name of a field that not every event has, and return it.

    Raises:
        BadParameter: the name can't be one.
    """
    if name in ("event_time", "event_type"):
        raise click.BadParameter(f"{name} is a field of every event already: choose another name", ctx, param)
    return Name().convert(name, param, ctx)
