"""The addresses of Kite, or of a simulator."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlencode, urlsplit

_KITE = ("kite.trade", "zerodha.com")
"""Domains that are asked with TLS only."""
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
                    f"{name} must be {schemes[0]}://host, without blanks, user or password"
                )

    @property
    def is_local(self) -> bool:
        """Whether requests stay on this machine."""
        host = urlsplit(self.root).hostname or ""
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


def _is_address(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:  # an invalid port or bracket
        return False
    is_clean = "@" not in parts.netloc and not any(one.isspace() for one in text)
    is_kites = any(f".{host}".endswith(f".{domain}") for domain in _KITE)
    allowed = schemes[:1] if is_kites else schemes
    return bool(host) and port != 0 and is_clean and parts.scheme in allowed


def login_url(address: KiteAddress, kept: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the page on which the user logs in; Kite sends the browser back with a token.

    What is `kept` comes back with it.
    """
    query: dict[str, str | int] = {"api_key": address.api_key, "v": 3}
    if kept:
        query["redirect_params"] = urlencode(kept)
    return f"{address.login_root}?{urlencode(query)}"
