"""The demo leaves nothing behind, so that it can be run again."""

from pathlib import Path

from connectors.settings import Settings
from local.demo.run import clear
from local.settings import LocalSettings
from local.stack.setup import Setup
from local.stack.supervisor import Stack


def test_remains_of_an_earlier_demo_do_not_disturb_the_next(tmp_path: Path) -> None:
    stack = Stack(Setup(Settings(), LocalSettings(), tmp_path / "state"), report=lambda _: None)
    leftover = tmp_path / "state" / "demo" / "payments.ledger"
    leftover.parent.mkdir(parents=True)
    leftover.touch()

    clear(stack)

    assert not leftover.parent.exists()


def test_first_demo_has_nothing_to_clear(tmp_path: Path) -> None:
    stack = Stack(Setup(Settings(), LocalSettings(), tmp_path / "state"), report=lambda _: None)

    clear(stack)

    assert not (tmp_path / "state").exists()
