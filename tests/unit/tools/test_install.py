"""uv installs what the lock pins, from where pip is configured to get it."""

import hashlib
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pip
import pytest

from local.settings import CHECKOUT
from tools.install import Environment, InstallError, install_packages, pip_options, uv_environment, uv_pin

WHEEL = "mill-1.2-py3-none-any.whl"


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """Folder with the only wheel that there is."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("mill.py", "grain = 'rye'\n")
        wheel.writestr("mill-1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: mill\nVersion: 1.2\n")
        wheel.writestr("mill-1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("mill-1.2.dist-info/RECORD", "")
    return folder


@pytest.fixture
def environment(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Environment with uv, for a pip that knows only the folder of wheels."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    made = Environment(tmp_path / "Köln's Mühle", f"cp{sys.version_info.major}{sys.version_info.minor}")
    venv.create(made.folder)
    (packages,) = made.folder.glob("lib/python*/site-packages")
    (packages / "pip.pth").write_text(str(Path(pip.__file__).parents[1]))
    made.python.with_name("uv").symlink_to(Path(sys.executable).with_name("uv"))
    return made


def pin(environment: Environment, digest: str) -> None:
    environment.lock.write_text(f"mill==1.2 \\\n    --hash=sha256:{digest}\n")


def test_packages_come_from_where_pip_gets_them(environment: Environment, wheels: Path) -> None:
    pin(environment, hashlib.sha256((wheels / WHEEL).read_bytes()).hexdigest())

    install_packages(environment, environment.checkout / "cache")

    (installed,) = environment.folder.glob("lib/python*/site-packages/mill.py")
    assert installed.read_text() == "grain = 'rye'\n"
    assert list(installed.parent.glob("__pycache__/mill.*.pyc"))
    assert installed.stat().st_nlink == 1


def test_package_with_another_hash_is_refused(environment: Environment, capfd: pytest.CaptureFixture[str]) -> None:
    pin(environment, "1" * 64)

    with pytest.raises(InstallError, match="could not be had"):
        install_packages(environment, environment.checkout / "cache")

    assert "Hash mismatch for `mill==1.2" in capfd.readouterr().err


def test_uv_is_pinned_in_the_lock_with_its_hashes() -> None:
    lines = uv_pin((CHECKOUT / "requirements.lock").read_text())

    assert lines.startswith("uv==")
    assert lines.count("uv==") == 1
    assert "--hash=sha256:" in lines


def test_uv_follows_how_pip_is_configured(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = tmp_path / "pip.conf"
    configuration.write_text(
        "[global]\nindex-url = https://file/simple\ncert = /file.pem\ntimeout = 90\n[wheel]\ntimeout = 120\n"
        f"find_links =\n  {wheels}\n  {tmp_path}/absent\n  https://links/\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("PIP_INDEX_URL", "https://name:100%25@index/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://one/simple\nhttps://other/simple")
    for name in ("PIP_CERT", "PIP_FIND_LINKS", "PIP_DEFAULT_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)

    given = uv_environment(pip_options(Path(sys.executable)))

    assert given["UV_DEFAULT_INDEX"] == "https://name:100%25@index/simple"
    assert given["UV_INDEX"] == "https://one/simple https://other/simple"
    assert given["UV_FIND_LINKS"] == f"{wheels},https://links/"
    assert given["UV_HTTP_TIMEOUT"] == "120"
    assert given["SSL_CERT_FILE"] == "/file.pem"


@pytest.mark.parametrize("option", ["QUIET", "USER", "GLOBAL", "SITE", "VERBOSE", "ISOLATED"])
def test_other_options_of_pip_hide_nothing_of_its_configuration(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = tmp_path / "pip.conf"
    configuration.write_text("[global]\nindex-url = https://file/simple\nquiet = 2\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    monkeypatch.setenv(f"PIP_{option}", "1")
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)

    assert pip_options(Path(sys.executable))["index-url"] == "https://file/simple"


def test_values_that_uv_writes_otherwise_are_translated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://other:1")
    (tmp_path / "wheels").mkdir()

    given = uv_environment(
        {"find-links": "~/wheels", "timeout": "15.5", "cert": "~/ca.pem", "proxy": "http://proxy:3128"}
    )

    assert given["UV_FIND_LINKS"] == f"{tmp_path}/wheels"
    assert given["UV_HTTP_TIMEOUT"] == "16"
    assert given["SSL_CERT_FILE"] == f"{tmp_path}/ca.pem"
    assert given["HTTPS_PROXY"] == given["HTTP_PROXY"] == "http://proxy:3128"


def test_uv_ignores_how_uv_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_TARGET", "/there")
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "automatic")
    monkeypatch.setenv("UV_LINK_MODE", "symlink")

    given = uv_environment({})

    assert "UV_TARGET" not in given
    assert given["UV_PYTHON_DOWNLOADS"] == "never"
    assert given["UV_LINK_MODE"] == "copy"


def test_uv_trusts_the_certificates_that_pip_would_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/bundle.pem")

    assert uv_environment({})["SSL_CERT_FILE"] == "/bundle.pem"
    assert uv_environment({"cert": "/pip.pem"})["SSL_CERT_FILE"] == "/pip.pem"
    assert uv_environment({"cert": str(tmp_path)})["SSL_CERT_DIR"] == str(tmp_path)
