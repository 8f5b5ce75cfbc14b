"""The addresses of Kite, or of a simulator."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlencode, urlsplit

_SCHEMES = {"root": ("https", "http"), "ws_root": ("wss", "ws"), "login_root": ("https", "http")}


@dataclass(frozen=True, slots=True)
class KiteAddress:
    """REST, websocket and login addresses; raises ValueError for an invalid one.

    The error does not repeat it: a password might stand in it.

    `timeout_seconds` is the timeout of a connection, and of each read.
    """

    api_key: str
    root: str = "https://api.kite.trade"
    ws_root: str = "wss://ws.kite.trade"
    login_root: str = "https://kite.zerodha.com/connect/login"
    timeout_seconds: float = 5.0

    def __post_init__(self) -> None:
        for name, schemes in _SCHEMES.items():
            if not _is_address(getattr(self, name), schemes):
                raise ValueError(
                    f"{name} must be {schemes[0]}://host, without blanks, user or password; "
                    f"{schemes[1]} serves a simulator on this machine or network alone"
                )

    @property
    def is_local(self) -> bool:
        """Whether requests stay on this machine."""
        host = urlsplit(self.root).hostname or ""
        return host == "localhost" or _is_loopback(host)


def _is_loopback(host: str) -> bool:
    """Return whether an address is this machine's own."""
    number = _number(host)
    return number is not None and number.is_loopback


def _is_address(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:  # an invalid port or bracket
        return False
    is_clean = "@" not in parts.netloc and not any(one.isspace() for one in text)
    allowed = schemes if _is_near(host) else schemes[:1]
    return bool(host) and port != 0 and is_clean and parts.scheme in allowed


def _is_near(host: str) -> bool:
    """Return whether a host is on this machine or network: elsewhere a token needs TLS."""
    number = _number(host)
    return "." not in host if number is None else number.is_private


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def login_url(address: KiteAddress, kept: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the page on which the user logs in; Kite sends the browser back with a token.

    What is `kept` comes back with it.
    """
    query: dict[str, str | int] = {"api_key": address.api_key, "v": 3}
    if kept:
        query["redirect_params"] = urlencode(kept)
    return f"{address.login_root}?{urlencode(query)}"
