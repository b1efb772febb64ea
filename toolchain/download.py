"""Downloads one file: resumes it after an interruption, checks it, and only then renames it."""

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from connectors import rest
from connectors.settings import without_login
from toolchain.cache import make_folder, make_readable

ATTEMPTS = 4
"""Maximum number of failures in a row, without a byte received in between."""
TIMEOUT_SECONDS = 30
CHUNK_BYTES = 1 << 14
"""Size of a chunk; the received part of one is lost at an interruption."""


class DownloadError(RuntimeError):
    """A file can't be downloaded; the text says which, why, and what to do."""


class _CutError(Exception):
    """The transfer was interrupted, or the server is busy: retry."""


@dataclass(frozen=True)
class Download:
    """A file to download, with its expected content."""

    url: str
    target: Path
    sha256: str
    size: int
    backoff_seconds: float = 1.0
    """Wait after the first failure, in seconds; it doubles with each further one."""

    @property
    def part(self) -> Path:
        """Path of the partial file."""
        return self.target.with_name(self.target.name + ".part")

    @property
    def shown_url(self) -> str:
        """URL without the login of a private mirror."""
        return without_login(self.url)

    def run(self, arrived: Callable[[int], None]) -> None:
        """Download the file, from where an earlier attempt was interrupted if there was one.

        Args:
            arrived: gets the number of bytes as they come; negative when some have to come again.

        Raises:
            DownloadError: the server can't be reached or doesn't have it, or what it sends has another checksum.
        """
        make_folder(self.target.parent)
        resumed = self._size_so_far()
        arrived(resumed)
        self._receive_all(arrived)
        if resumed and sha256(self.part) != self.sha256:
            arrived(-self._size_so_far())
            self.part.unlink()
            self._receive_all(arrived)
        if (got := sha256(self.part)) != self.sha256:
            raise self._mismatch(got)
        make_readable(self.part)
        self.part.rename(self.target)

    def _receive_all(self, arrived: Callable[[int], None]) -> None:
        failures = 0
        while (before := self._size_so_far()) < self.size:
            try:
                self._receive(before, arrived)
            except (_CutError, requests.ConnectionError, requests.Timeout) as cut:
                failures = 1 if self._size_so_far() > before else failures + 1
                if failures == ATTEMPTS:
                    raise DownloadError(
                        f"{self.shown_url} could not be fetched ({failures} attempts; last: "
                        f"{self._shown(cut)}). With a network, run the same command again: it resumes where it "
                        "stopped. Without one, a cache that is filled elsewhere serves as well: set MILLRACE_CACHE to "
                        "it"
                    ) from None
                time.sleep(self.backoff_seconds * 2 ** (failures - 1))
            except requests.RequestException as error:
                raise DownloadError(f"{self.shown_url} could not be fetched: {self._shown(error)}") from None

    def _shown(self, error: Exception) -> str:
        """Return an error's text without the login of a private mirror, which an error of `requests` may quote in any
        part."""
        hides = self.shown_url != self.url and isinstance(error, requests.RequestException)
        return type(error).__name__ if hides else str(error)

    def _receive(self, start: int, arrived: Callable[[int], None]) -> None:
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with (
            rest.session(self.url) as session,
            session.get(self.url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response,
        ):
            if response.status_code in {408, 429} or response.status_code >= 500:
                raise _CutError(f"HTTP status {response.status_code}")
            if response.status_code not in {200, 206}:
                raise DownloadError(
                    f"{self.shown_url} could not be fetched: HTTP status {response.status_code}. Does the repository "
                    "have this file? (MILLRACE_MAVEN_REPOSITORY says which repository is asked)"
                )
            goes_on = re.match(rf"bytes {start}-", response.headers.get("Content-Range", "")) is not None
            if start and not goes_on:
                arrived(-start)
            with self.part.open("ab" if goes_on else "wb") as file:
                try:
                    for chunk in response.iter_content(CHUNK_BYTES):
                        file.write(chunk)
                        arrived(len(chunk))
                        if file.tell() > self.size:
                            break
                except requests.exceptions.ChunkedEncodingError as cut:
                    raise _CutError(str(cut)) from cut

    def _size_so_far(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _mismatch(self, got: str) -> DownloadError:
        bad = self.target.with_name(self.target.name + ".bad")
        self.part.replace(bad)
        return DownloadError(
            f"{self.shown_url} is not the file that was pinned.\n  expected sha256 {self.sha256}, {self.size} bytes\n"
            f"  got      sha256 {got}, {bad.stat().st_size} bytes\n  kept as  {bad}\n"
            "If a proxy or mirror answers with a page of its own, look into that file; if it was damaged on the way, "
            "run the same command again. Don't change the lock file to make this go away"
        )


def sha256(file: Path) -> str:
    """Return a file's checksum in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
