"""Where Kite is reached."""

from dataclasses import replace
from typing import Any

import pytest

from libs.broker.kite.address import KiteAddress, login_url


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("root", "api.kite.trade"),
        ("root", "ftp://api.kite.trade"),
        ("root", "http://[::1"),
        ("ws_root", "wss://host:99999"),
        ("ws_root", "https://ws.kite.trade"),
        ("login_root", "https://"),
        ("root", "http://me:hunter2@host:99999"),
        ("root", "https://me:hunter2@host"),
        ("ws_root", "wss://hunter2@host"),
        ("root", "https://host/a hunter2"),
        ("root", "https://ho\nst"),
        ("root", "http://api.kite.trade"),
        ("root", "http://API.KITE.TRADE."),
        ("ws_root", "ws://ws.kite.trade"),
        ("login_root", "http://kite.zerodha.com/connect/login"),
    ],
)
def test_an_address_that_cannot_be_is_refused_by_its_name(name: str, address: str) -> None:
    fields: dict[str, Any] = {name: address}
    with pytest.raises(ValueError, match=f"^{name} must be") as refused:
        replace(KiteAddress("key"), **fields)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("root", "is_local"),
    [
        ("http://127.0.0.1:8200", True),
        ("http://localhost:8200", True),
        ("http://[::1]:8200", True),
        ("https://api.kite.trade", False),
        ("http://192.0.2.2:8200", False),
        ("https://kite.trade.example:8200", False),
    ],
)
def test_only_this_machine_is_local(root: str, is_local: bool) -> None:
    assert KiteAddress("key", root=root).is_local == is_local


def test_the_login_page_is_told_the_app() -> None:
    assert login_url(KiteAddress("key")).endswith("?api_key=key&v=3")


@pytest.mark.parametrize("root", ["http://kite.trade.example:8200", "http://8.8.8.8:8200"])
def test_a_token_goes_to_another_network_with_tls_alone(root: str) -> None:
    with pytest.raises(ValueError, match=r"root must be https://host"):
        KiteAddress("key", root=root)


def test_a_simulator_on_this_network_needs_none() -> None:
    for root in ("http://simulator:8200", "http://10.0.0.7:8200"):
        assert KiteAddress("key", root=root).root == root
