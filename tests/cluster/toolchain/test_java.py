"""The shared Java runtime starts fast."""

import subprocess

import pytest

from toolchain.java import java_home


def test_shared_runtime_has_an_archive_of_the_jdk_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MILLRACE_JAVA_HOME", raising=False)

    # `on` instead of the default `auto`: a JVM that can't use the archive doesn't start.
    command = [str(java_home() / "bin" / "java"), "-Xshare:on", "-version"]
    started = subprocess.run(command, capture_output=True, text=True, check=False)

    assert started.returncode == 0, started.stderr
    assert "sharing" in started.stderr
