"""Choice of Java: the configured one, or the locked one."""

from pathlib import Path

import pytest

from toolchain.java import JavaError, java_home, java_version


def make_java_home(folder: Path, version: str) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.touch(mode=0o755)
    (folder / "release").write_text(f'IMPLEMENTOR="somebody"\nJAVA_VERSION="{version}"\n')
    return folder


def test_named_java_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = make_java_home(tmp_path / "java", "21.0.8")
    monkeypatch.setenv("MILLRACE_JAVA_HOME", str(home))

    assert java_home(21) == home
    assert java_version(home) == 21


def test_java_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MILLRACE_JAVA_HOME", str(make_java_home(tmp_path, "17.0.1")))

    assert java_home() == tmp_path
    with pytest.raises(JavaError, match="is Java 17, but Java 21 is needed: unset MILLRACE_JAVA_HOME"):
        java_home(21)


def test_folder_without_java_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JavaError, match="is not a Java home"):
        java_version(tmp_path)
