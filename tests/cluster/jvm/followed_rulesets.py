"""Rulesets as files in a folder that a job follows while it runs, with a count of the payments they evaluated."""

import threading
from pathlib import Path

import msgspec

from connectors.kafka.rulesets import RulesetsUnavailableError
from events import Ruleset
from udfs.fraud.rules import RulesetHistory
from udfs.fraud.ruleset_sources import RulesetListener

_POLL_SECONDS = 0.02


class FollowedRulesets:
    """Rulesets of a folder, read as `KafkaRulesets` reads its topic: first all there are, then new ones in a thread."""

    def __init__(self, folder: Path, *rulesets: Ruleset) -> None:
        """Create the folder with its first versions."""
        self._folder = folder
        folder.mkdir(parents=True)
        for ruleset in rulesets:
            self.publish(ruleset)

    def publish(self, ruleset: Ruleset) -> None:
        """Add a version."""
        finished = self._folder / f"{ruleset.version}.ruleset"
        unfinished = finished.with_suffix(".unfinished")
        unfinished.write_bytes(msgspec.json.encode(ruleset))
        unfinished.rename(finished)

    def end(self) -> None:
        """Let following fail from now on."""
        (self._folder / "end").touch()

    def evaluated(self) -> int:
        """Return how many payments Python evaluated."""
        asked = self._folder / "asked"
        return asked.stat().st_size if asked.exists() else 0

    def reached(self, what: str) -> bool:
        """Return whether a version was taken in (`1 taken`), or following has stopped (`ended`)."""
        return (self._folder / what).exists()

    def open(self, history: RulesetHistory, listener: RulesetListener) -> None:
        self._take(history)
        self._stop = threading.Event()
        self._failure: str | None = None
        self._follower = threading.Thread(target=self._follow, args=(history, listener), daemon=True)
        self._follower.start()

    def close(self) -> None:
        self._stop.set()
        self._follower.join(timeout=10)

    def check(self) -> None:
        with (self._folder / "asked").open("ab") as asked:
            asked.write(b".")
        if self._failure:
            raise RulesetsUnavailableError(self._failure)

    def _take(self, history: RulesetHistory) -> None:
        for file in sorted(self._folder.glob("*.ruleset")):
            history.add(msgspec.json.decode(file.read_bytes(), type=Ruleset))
            (self._folder / f"{file.stem} taken").touch()

    def _follow(self, history: RulesetHistory, listener: RulesetListener) -> None:
        while not self._stop.wait(_POLL_SECONDS) and listener.is_wanted():
            self._take(history)
            if (self._folder / "end").exists():
                self._failure = "the folder can't be followed any more"
                listener.failed()
                break
        (self._folder / "ended").touch()
