"""A Chromium without a window, driven by the DevTools protocol through two pipes: no driver and no port is needed."""

import fcntl
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toolchain.browser import Browser

ANSWER_SECONDS = 90.0
"""Maximum wait for an answer or a condition: the machine may be busy."""
FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root, where there is none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "Escape": (27, "")}
"""Keys with their codes and texts."""


class Tab:
    """A tab of the browser."""

    def __init__(self, writing: int, reading: int) -> None:
        self._writing, self._reading = writing, reading
        self._number, self._received, self._session = 0, b"", ""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol; return its result."""
        self._number += 1
        request = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            request["sessionId"] = self._session
        os.write(self._writing, json.dumps(request).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_SECONDS
        while (answer := self._message(deadline)).get("id") != self._number:
            pass
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def look_at(self, url: str, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Open a page on a screen of this size, and wait until its script runs."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && document.documentElement.classList.contains('js')")

    def run(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript; of a promise, what it brings."""
        answer = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression of JavaScript is true."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while not self.run(condition):
            assert time.monotonic() < deadline, f"never true: {condition}"
            time.sleep(0.1)

    def press(self, key: str) -> None:
        """Press a key, and let it go."""
        code, text = KEYS[key]
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **common)

    def picture(self) -> str:
        """Return what is to be seen as a PNG in base64."""
        return str(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._received:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self._reading], [], [], left)[0], "the browser doesn't answer"
            received = os.read(self._reading, 1 << 16)
            assert received, "the browser has ended"
            self._received += received
        message, _, self._received = self._received.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


@contextmanager
def tab_of(browser: Browser, folder: Path) -> Iterator[Tab]:
    """Run a browser with a new profile while the block runs; yield its tab."""
    its_input, writing = _pipe()
    reading, its_output = _pipe()
    # The browser reads from descriptor 3 and writes to 4.
    command = f'exec "$0" "$@" 3<&{its_input} 4>&{its_output}'
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", command, str(browser.program), *FLAGS, f"--user-data-dir={folder / 'profile'}"],
            env=os.environ | browser.variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(its_input, its_output),
        )
    os.close(its_input)
    os.close(its_output)
    try:
        yield Tab(writing, reading)
    finally:
        process.kill()
        process.wait()
        os.close(writing)
        os.close(reading)


def _pipe() -> tuple[int, int]:
    """Return the two ends of a pipe, neither of which is a descriptor that the browser uses."""
    ends = os.pipe()
    far = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 10) for each in ends]
    for each in ends:
        os.close(each)
    return far[0], far[1]
