"""Java sources are compiled once for each state, and an error in them is shown."""

from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from toolchain import jars
from toolchain.build import CompileError, Compiler, compile_jar
from toolchain.java import java_home

NO_JAVA = Path("there-is-no-java-here")


@pytest.fixture
def compiler() -> Compiler:
    (ecj,) = jars.paths("compiler")
    return Compiler(ecj, [], java_home() / "bin" / "java")


def written(folder: Path, body: str = "", resource: str = "greeting") -> Path:
    """Write a folder with one class and one resource."""
    for file, text in (("src/hello/Hello.java", f"package hello; class Hello {{ {body} }}"), ("resources/x", resource)):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_jar_holds_classes_and_resources(compiler: Compiler, tmp_path: Path) -> None:
    jar = compile_jar(written(tmp_path / "code"), compiler, tmp_path / "cache", "hello")

    assert jar.name == "hello.jar"
    with ZipFile(jar) as archive:
        assert sorted(archive.namelist()) == ["hello/Hello.class", "x"]
    assert list(jar.parent.iterdir()) == [jar]


def test_unchanged_sources_are_not_compiled_again(compiler: Compiler, tmp_path: Path) -> None:
    first = compile_jar(written(tmp_path / "code"), compiler, tmp_path / "cache", "hello")

    again = compile_jar(written(tmp_path / "a clone"), replace(compiler, java=NO_JAVA), tmp_path / "cache", "hello")

    assert again == first


def test_change_of_source_resource_or_classpath_is_compiled(compiler: Compiler, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (tmp_path / "other.jar").touch()
    builds = [
        compile_jar(written(tmp_path / "code"), compiler, cache, "hello"),
        compile_jar(written(tmp_path / "code", body="int x;"), compiler, cache, "hello"),
        compile_jar(written(tmp_path / "code", resource="farewell"), compiler, cache, "hello"),
        compile_jar(written(tmp_path / "code"), replace(compiler, classpath=[tmp_path / "other.jar"]), cache, "hello"),
    ]

    assert len(set(builds)) == 4


@pytest.mark.parametrize(
    ("body", "complaint"),
    [("int x = true;", "cannot convert from boolean to int"), ("private int x;", "x is not used")],
)
def test_compile_error_or_warning_is_shown_and_leaves_nothing(
    body: str, complaint: str, compiler: Compiler, tmp_path: Path
) -> None:
    with pytest.raises(CompileError, match=complaint) as caught:
        compile_jar(written(tmp_path / "code", body=body), compiler, tmp_path / "cache", "hello")

    assert "Hello.java (at line 1)" in str(caught.value)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
