"""`alphastocks login`: the daily login at Kite, in the browser."""

import asyncio
import sys
from contextlib import closing
from typing import Annotated

import typer

from libs.broker.kite.address import KiteAddress, login_url
from libs.market.calendar import IST
from libs.runtime.settings import SettingsError
from services.local import screen
from services.local.commands.kite_login import address_with_secret, log_in
from services.local.commands.options import Config, settings_unchecked
from services.local.commands.places import check_file
from services.local.commands.redirect import STATE, Redirect, is_here

WAIT_SECONDS = 300
"""Kite's request token lives for some minutes."""


def login(
    config: Config = None,
    request_token: Annotated[
        str | None,
        typer.Option("--request-token", help="The request token or address; else it is awaited."),
    ] = None,
) -> None:
    """Log in at Kite, once a day; the access token is stored for the services until 06:00 tomorrow.

    The browser comes back to kite.redirect_url, where the command listens; it is the redirect
    address of your app at Kite. If it is another one, paste where the browser was sent to.
    Needs ALPHASTOCKS_KITE__API_KEY and ALPHASTOCKS_KITE__API_SECRET. Running services switch to
    the new token by themselves.

    Example: `alphastocks login`
    """
    settings = settings_unchecked(config)
    address = address_with_secret(settings.kite)
    check_file("kite.session_file", settings.kite.session_file)
    if request_token is None:
        request_token = _awaited(address, settings.kite.redirect_url)
    session = asyncio.run(log_in(settings.kite, request_token))
    until = session.expires_at.astimezone(IST)
    screen.console.print(f"Logged in as {session.user_id} until {until:%Y-%m-%d %H:%M} in India.")


def _awaited(address: KiteAddress, redirect_url: str) -> str:
    """Show the login page's address; return the token that comes back, or what is pasted."""
    redirect = _listener(redirect_url)
    if redirect is None:
        screen.console.print(f"Log in here: {login_url(address)}", soft_wrap=True)
        return str(typer.prompt("Paste the address that you were sent to", err=True))
    with closing(redirect):
        url = login_url(address, {STATE: redirect.state})
        screen.console.print(f"Log in here: {url}", soft_wrap=True)
        screen.errors.print(
            f"Waiting for the browser at {redirect_url}. Paste the address that you were sent to, "
            "if it is another one:",
            soft_wrap=True,
        )
        return redirect.wait(WAIT_SECONDS, sys.stdin)


def _listener(redirect_url: str) -> Redirect | None:
    """Return who waits for the browser, None where that can only be done by hand."""
    if not is_here(redirect_url):
        return None
    try:
        return Redirect(redirect_url)
    except SettingsError as error:
        screen.errors.print(f"The browser is not waited for: {error}", soft_wrap=True)
        return None
