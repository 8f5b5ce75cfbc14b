"""`alphastocks login`: the daily login at Kite, in the browser."""

import asyncio
from typing import Annotated

import typer

from libs.broker.kite.address import login_url
from libs.market.calendar import IST
from services.local import screen
from services.local.commands.kite_login import address_with_secret, log_in
from services.local.commands.options import Config, settings_of
from services.local.commands.places import check_file


def login(
    config: Config = None,
    request_token: Annotated[
        str | None,
        typer.Option("--request-token", help="The request token or address; else it is asked for."),
    ] = None,
) -> None:
    """Log in at Kite, once a day; the access token is stored for the services until 06:00 tomorrow.

    Needs ALPHASTOCKS_KITE__API_KEY and ALPHASTOCKS_KITE__API_SECRET. Running services switch to
    the new token by themselves.

    Example: `alphastocks login`
    """
    settings = settings_of(config)
    address = address_with_secret(settings.kite)
    check_file("kite.session_file", settings.kite.session_file)
    if request_token is None:
        screen.console.print(f"Log in here: {login_url(address)}", soft_wrap=True)
        request_token = typer.prompt("Paste the address that you were sent to", err=True)
    session = asyncio.run(log_in(settings.kite, request_token))
    until = session.expires_at.astimezone(IST)
    screen.console.print(f"Logged in as {session.user_id} until {until:%Y-%m-%d %H:%M} in India.")
