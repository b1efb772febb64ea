"""Settings: from the environment, or defaults that fit the local stack."""

from dataclasses import fields, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from requests.utils import get_auth_from_url

from connectors.settings import (
    Settings,
    SettingsError,
    StateSettings,
    Variables,
    own_folder,
    state_directory,
    variable,
    with_escaped_login,
    without_login,
)
from local.settings import LocalSettings, stack_ports
from notifier.settings import NotifierSettings
from toolchain.cache import cache_directory

ALL = (Settings, LocalSettings, NotifierSettings, StateSettings)


@pytest.mark.parametrize("settings", ALL)
def test_defaults_are_accepted_values(settings: type[Variables]) -> None:
    defaults = settings.from_environment({})

    assert settings.from_environment(defaults.as_variables()) == defaults


def test_variable_overrides_the_default_and_an_empty_one_does_not() -> None:
    given = Settings.from_environment({"MILLRACE_BASE_CURRENCY": "CHF", "MILLRACE_START_FROM": ""})

    assert (given.base_currency, given.start_from) == ("CHF", Settings().start_from)


def test_passwords_are_not_among_the_public_values() -> None:
    secrets = {"shop_database_password", "warehouse_password", "elasticsearch_password", "elasticsearch_api_key"}
    secrets |= {"maven_repository"}  # a private mirror's login may be in it
    settings = replace(Settings(), **{name: f"hidden {name}" for name in secrets})

    hidden = settings.as_variables().items() - settings.as_public_variables().items()

    assert {value for _, value in hidden} == {f"hidden {name}" for name in secrets}


def test_error_has_no_password() -> None:
    with pytest.raises(SettingsError, match="MILLRACE_WAREHOUSE_PASSWORD") as error:
        Settings.from_environment({"MILLRACE_WAREHOUSE_PASSWORD": "hidden\n"})

    assert "hidden" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        (Settings, "kafka_bootstrap_servers", "localhost"),
        (Settings, "schema_registry_url", "127.0.0.1:18080"),
        (Settings, "start_from", "yesterday"),
        (Settings, "source_idle_seconds", "0"),
        (Settings, "source_idle_seconds", "1٠"),
        (Settings, "cache", "relative/folder"),
        (Settings, "cache", "/a:b"),
        (Settings, "java_home", "/a,b"),
        (StateSettings, "state", "/a;b"),
        (LocalSettings, "kafka_controller_port", "65536"),
        (LocalSettings, "kafka_controller_port", "0"),
        (LocalSettings, "flink_task_managers", "two"),
        (LocalSettings, "smtp_url", "127.0.0.1:25"),
        (NotifierSettings, "smtp_url", "127.0.0.1:25"),
    ],
)
def test_malformed_value_is_refused_by_its_variable(settings: type[Variables], name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"MILLRACE_{name.upper()}='{value}' can't be used: it must be .+"):
        settings.from_environment({variable(name): value})


def test_malformed_mail_server_concerns_no_job_and_no_command() -> None:
    assert Settings.from_environment({"MILLRACE_SMTP_URL": "127.0.0.1:25"}) == Settings()


def test_every_variable_has_a_meaning_and_one_declaration() -> None:
    declared = [field for settings in ALL for field in fields(settings)]
    declarations = {(field.name, field.default, *field.metadata.values()) for field in declared}

    assert all(field.metadata["meaning"] for field in declared)
    assert len({field.name for field in declared}) == len(declarations)


def test_ports_are_those_of_the_addresses() -> None:
    settings = Settings.from_environment(
        {
            "MILLRACE_SCHEMA_REGISTRY_URL": "http://127.0.0.2/apis/ccompat/v7",
            "MILLRACE_SHOP_DATABASE_URL": "postgresql://127.0.0.1/shop",
        }
    )

    ports = {port.service: (port.host, port.number) for port in stack_ports(settings, LocalSettings())}

    assert ports == {
        "kafka": ("127.0.0.1", 19092),
        "kafka controller": ("127.0.0.1", 19093),
        "registry": ("127.0.0.2", 80),
        "registry health": ("127.0.0.1", 18090),
        "postgres": ("127.0.0.1", 5432),
        "connect": ("127.0.0.1", 18083),
        "elasticsearch": ("127.0.0.1", 19200),
        "mailbox": ("127.0.0.1", 11025),
        "flink": ("127.0.0.1", 18081),
        "flink jobmanager": ("127.0.0.1", 16123),
    }


def test_malformed_state_folder_concerns_no_job() -> None:
    malformed = {"MILLRACE_STATE": "not/absolute"}

    assert "MILLRACE_STATE" not in Settings.from_environment(malformed).as_variables()
    with pytest.raises(SettingsError, match="MILLRACE_STATE"):
        state_directory(malformed)


def test_folders_are_those_of_their_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path / "state"))

    assert (cache_directory(), state_directory()) == (tmp_path / "cache", tmp_path / "state")


@pytest.mark.parametrize("folder", ["/" + "x" * 300, "~nobody-has-this-name/.cache"])
def test_inaccessible_folder_is_refused_by_its_variable(folder: str) -> None:
    with pytest.raises(SettingsError, match=r"MILLRACE_CACHE must be set to a folder of this user's: .+"):
        own_folder("", "cache", lambda: Path(folder).expanduser())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ci:s3cret@mirror.example/maven2", "https://•••@mirror.example/maven2"),
        ("https://token@mirror.example/maven2", "https://•••@mirror.example/maven2"),
        (
            "'https://ci:p@ss/word@mirror.example:8081/maven2' is wrong",
            "'https://•••@mirror.example:8081/maven2' is wrong",
        ),
        ("http://mirror.example:8081/@scope/x.jar", "http://mirror.example:8081/@scope/x.jar"),
    ],
)
def test_login_in_a_url_is_not_shown(text: str, shown: str) -> None:
    assert without_login(text) == shown


@pytest.mark.parametrize(
    ("password", "written"),
    [("s3/cret", "s3/cret"), ("s3/cret", "s3%2Fcret"), ("s3/c@t?#%", "s3/c@t?#%"), ("p@ss", "p@ss"), ("x", "x")],
)
def test_password_in_a_url_may_have_a_slash_that_is_not_escaped(password: str, written: str) -> None:
    url = with_escaped_login(f"https://ci:{written}@host.example:8081/maven")

    assert urlsplit(url).netloc.endswith("@host.example:8081")
    assert get_auth_from_url(url) == ("ci", password)


@pytest.mark.parametrize("url", ["https://host.example:8081/@scope/maven", "https://ci:pw@host.example/@scope/maven"])
def test_url_that_can_be_parsed_stays_as_it_is(url: str) -> None:
    assert with_escaped_login(url) == url


def test_login_in_a_malformed_url_is_not_shown() -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_environment({"MILLRACE_CONNECT_URL": "http://admin:s3cret@connect:8083"})

    assert "'http://•••@connect:8083' can't be used" in str(error.value)
