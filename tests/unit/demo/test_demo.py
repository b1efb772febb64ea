"""The demo leaves nothing behind, so that it can be run again."""

from pathlib import Path

from connectors.settings import Settings
from local.demo.run import clear
from local.settings import LocalSettings
from local.stack.setup import Setup
from local.stack.supervisor import Stack


def test_what_an_earlier_demo_left_is_not_in_the_way_of_the_next(tmp_path: Path) -> None:
    stack = Stack(Setup(Settings(), LocalSettings(), tmp_path / "state"), say=lambda _: None)
    leftover = tmp_path / "state" / "demo" / "payments.ledger"
    leftover.parent.mkdir(parents=True)
    leftover.touch()

    clear(stack)

    assert not leftover.parent.exists()


def test_there_is_nothing_to_clear_before_the_first_demo(tmp_path: Path) -> None:
    stack = Stack(Setup(Settings(), LocalSettings(), tmp_path / "state"), say=lambda _: None)

    clear(stack)

    assert not (tmp_path / "state").exists()
