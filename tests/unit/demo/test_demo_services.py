"""The demo's services agree on the world that they simulate, and a failure of one is reported in its own words."""

import subprocess
from pathlib import Path

import pytest

from local.demo.services import ServiceError, Services


def services(folder: Path) -> Services:
    return Services(folder, seconds=1, rate=200, seed=7)


def option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def test_shop_has_the_customers_of_the_order_service(tmp_path: Path) -> None:
    demo = services(tmp_path)

    numbers = {name: option(demo.arguments[name], "--customers") for name in ("shop", "order_service")}

    assert numbers == {"shop": "90000", "order_service": "90000"}
    assert demo.customers == 90_000


def test_each_service_has_its_own_ledger(tmp_path: Path) -> None:
    ledgers = {option(arguments, "--ledger") for arguments in services(tmp_path).arguments.values()}

    assert len(ledgers) == 3


def test_failed_service_is_reported_with_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo = services(tmp_path)
    monkeypatch.setenv("MILLRACE_SHOP_DATABASE_URL", "shop")

    with demo.running("shop") as shop:
        demo.require_health({"shop": shop})
        shop.wait(60)

    with pytest.raises(ServiceError, match=r"shop ended with status 1: Error: MILLRACE_SHOP_DATABASE_URL"):
        demo.require_health({"shop": shop})


def test_killed_service_is_reported_with_the_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo = services(tmp_path)
    monkeypatch.setenv("MILLRACE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")

    with demo.running("payment_service") as payments:
        payments.kill()
        payments.wait(60)

    with pytest.raises(ServiceError, match=r"payment_service was ended by signal 9: it printed nothing"):
        demo.require_health({"payment_service": payments})


def test_only_a_service_with_a_duration_may_end(tmp_path: Path) -> None:
    demo = services(tmp_path)
    with subprocess.Popen(["true"]) as process:
        process.wait(60)
    (tmp_path / "notifier.out").touch()

    demo.require_health({"shop": process})
    with pytest.raises(ServiceError, match=r"notifier ended with status 0"):
        demo.require_health({"notifier": process})


def test_service_that_still_runs_ends_with_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")

    with services(tmp_path).running("order_service") as orders:
        assert orders.poll() is None

    assert orders.returncode is not None
