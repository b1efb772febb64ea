"""Everything that the documents show exists: settings, examples, targets, modules, commands, files and links."""

import configparser
import importlib
import re
import shlex
import tomllib
from dataclasses import fields
from importlib.util import find_spec

import click
import pytest

from connectors.kafka.topics import TOPICS
from connectors.settings import Settings, StateSettings, variable
from jobs import flow
from local.settings import CHECKOUT, LocalSettings
from notifier.settings import NotifierSettings
from ops.__main__ import main as operate
from udfs.fraud.features import parse_declaration, payment_columns
from udfs.notifications.notification_policy import default_text

DOCS = CHECKOUT / "docs"
DOCUMENTS = sorted(
    [
        *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md")),
        *DOCS.rglob("*.md"),
        *(CHECKOUT / "tests").rglob("README.md"),
    ]
)
TEXTS = {str(path.relative_to(CHECKOUT)): path.read_text("utf-8") for path in DOCUMENTS}
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def block(document: str, containing: str) -> str:
    """Return the fenced block with that text, without its language."""
    fenced = TEXTS[document].split("```")[1::2]
    return next(each.partition("\n")[2] for each in fenced if containing in each)


def test_every_setting_is_documented_with_its_default() -> None:
    row = r"^\| `(MILLRACE_\w+)` \| (?:`([^`]+)`|none|see below) \|"
    documented = dict(re.findall(row, TEXTS["docs/configuration.md"], re.MULTILINE))

    all_settings = (Settings, StateSettings, LocalSettings, NotifierSettings)
    declared = {variable(f.name): str(f.default) for settings in all_settings for f in fields(settings)}

    assert documented == declared


def test_example_feature_is_valid() -> None:
    (feature,) = parse_declaration(block("docs/write-your-own.md", "online_1h"), payment_columns())

    assert feature.name == "online_1h"


def test_example_policy_is_a_part_of_the_default_one() -> None:
    example = tomllib.loads(block("docs/write-your-own.md", "messages_per_hour"))
    default = tomllib.loads(default_text())

    assert example.keys() <= default.keys()
    assert example["messages_per_hour"] == default["messages_per_hour"]
    assert example["quiet_hours"] == default["quiet_hours"]
    assert example["occasion"].items() <= default["occasion"].items()


CODE = "\n".join(
    line.split(" #")[0]
    for text in TEXTS.values()
    for line in "\n".join(
        each for pair in re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`|^    (\S.*)$", text, re.M | re.S) for each in pair
    ).splitlines()
)
"""Content of blocks and of backticks, without comments."""


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?<!: )\bmake ([a-z0-9-]+)", CODE))))
def test_every_named_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([a-z_.]+\w)", CODE))))
def test_every_named_module_exists(module: str) -> None:
    assert find_spec(module)


def commands() -> dict[str, click.Command]:
    """Programs of the documents that are made with click, as they are typed."""
    modules = (
        "notifier",
        "local.demo",
        "local.stack",
        "local.stack.mailbox",
        "local.simulator.shop",
        "tests.chaos",
        "tests.bench",
    )
    mains = {module: importlib.import_module(f"{module}.__main__").main for module in modules}
    services = ("local.simulator.order_service", "local.simulator.payment_service", "tools.doctor", "toolchain.jars")
    mains |= {module: importlib.import_module(module).main for module in services}
    return {f"python -m {module}": main for module, main in mains.items()} | {"ops": operate}


@pytest.mark.parametrize(("program", "command"), commands().items())
def test_every_shown_command_and_option_exists(program: str, command: click.Command) -> None:
    shown = re.findall(rf"(?<![\w.]){re.escape(program)} ([^|&;`\n]+)", CODE)

    unknown = [f"{program} {line}" for line in shown if not is_known(command, shlex.split(line.replace("'", "")))]

    assert unknown == []


def is_known(command: click.Command, words: list[str]) -> bool:
    """Return whether the words are subcommands, options and arguments of a command."""
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.commands.get(words[0])
        if found is None:
            return False
        command, words = found, words[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {
        "--help"
    }
    return {word for word in words if word.startswith("-")} <= options


LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
LINKS = sorted({(document, *link) for document, text in TEXTS.items() for link in LINK.findall(FENCE.sub("", text))})


@pytest.mark.parametrize(("document", "target", "anchor"), LINKS)
def test_every_link_has_a_file_and_its_heading(document: str, target: str, anchor: str) -> None:
    path = (CHECKOUT / document).parent / target if target else CHECKOUT / document

    assert "://" in target or path.exists()
    assert not anchor or anchor in anchors(path.read_text("utf-8"))


def anchors(text: str) -> set[str]:
    """Return the names of the headings, as a page of the repository makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


FOLDERS = "events|udfs|sql|connectors|toolchain|jvm|jobs|flink-conf|ops|notifier|local|tools|tests|docs"
PATHS = sorted(set(re.findall(rf"(?<![\w./-])(?:{FOLDERS})/[\w./-]*\w", "\n".join(TEXTS.values()))))
MADE_BY_THE_READER = ("sql/pipelines/declined_amounts.sql", "tests/pipelines/declined_amounts/one_country")


@pytest.mark.parametrize("path", sorted({*PATHS} - {*MADE_BY_THE_READER}))
def test_every_named_file_exists(path: str) -> None:
    assert (CHECKOUT / path).exists()


def test_index_lists_every_document() -> None:
    listed = {target for target, _ in LINK.findall(TEXTS["docs/README.md"])}

    assert {path.name for path in DOCS.glob("*.md")} - {"README.md"} <= listed


def rows(document: str, head: str) -> list[list[str]]:
    """Return the cells of the table with that head."""
    table = TEXTS[document].partition(head)[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()[2:]]


def test_data_flow_is_the_declared_one() -> None:
    shown = rows("docs/architecture.md", "| program | reads | emits or fills |")

    assert [(name.strip("`"), *map(topics_or_words, cells)) for name, *cells in shown] == [
        (
            program.name,
            {topic.name for topic in program.reads},
            {topic.name for topic in program.writes} or {program.fills},
        )
        for program in flow.PROGRAMS
    ]


def test_every_topic_is_in_the_data_flow_or_beside_it() -> None:
    shown = TEXTS["docs/architecture.md"].partition("## Data flow")[2].partition("\n## ")[0]

    assert {topic.name for topic in TOPICS} <= {*re.findall("`(.*?)`", shown)}


def topics_or_words(cell: str) -> set[str]:
    """Return the names in a cell."""
    return {name.strip("` ") for name in cell.split(",")} - {""}


def test_allowed_imports_are_those_of_the_import_contract() -> None:
    contract = configparser.ConfigParser()
    contract.read(CHECKOUT / ".importlinter")
    importers = {
        section["protected_modules"].strip(): {*section["allowed_importers"].split()}
        for section in contract.values()
        if section.get("type") == "protected"
    }

    head = "| folder | its question | may import |"
    shown = {cells[0].strip("`"): {*re.findall("`(.*?)`", cells[2])} for cells in rows("docs/architecture.md", head)}

    assert shown == {
        folder: {name for name, allowed in importers.items() if folder in allowed and name != folder}
        for folder in importers
    }
