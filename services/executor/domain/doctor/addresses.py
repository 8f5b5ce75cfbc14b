"""Addresses in the settings and in the reply of a page that echoes them."""

from ipaddress import ip_address

from libs.market.bounds import refusal

MOST_BYTES = 200


def echo_address(text: str) -> str:
    """Return the address of a page; raise ValueError for what is none."""
    if text and not text.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise refusal("it must be https://host/...: somebody between could say anything")
    return text


def address_in(reply: str) -> str:
    """Return the IP address that a page replies; raise ValueError if it is none."""
    return str(ip_address(reply.strip()))
