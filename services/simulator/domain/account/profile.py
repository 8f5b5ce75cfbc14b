"""The user of the simulated broker, as in Kite's replies."""

from typing import Any

from services.simulator.domain.account.login import App, Session
from services.simulator.domain.india_time import clock

BROKER = "SIMULATOR"
"""The client sends paper orders to no other broker."""


def profile(user_id: str) -> dict[str, Any]:
    """Return the data of /user/profile."""
    return {
        "user_id": user_id,
        "user_type": "individual",
        "email": f"{user_id.lower()}@simulator.invalid",
        "user_name": "Simulated account",
        "user_shortname": "Simulated",
        "broker": BROKER,
        "exchanges": ["NSE", "NFO", "BSE", "BFO"],
        "products": ["CNC", "NRML", "MIS"],
        "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
        "avatar_url": None,
        "meta": {"demat_consent": "physical"},
    }


def session_reply(app: App, session: Session) -> dict[str, Any]:
    """Return the data of a login; there is no refresh token."""
    return {
        **profile(app.user_id),
        "api_key": app.api_key,
        "access_token": session.access_token,
        "public_token": session.public_token,
        "enctoken": "",
        "refresh_token": "",
        "silo": "",
        "login_time": clock(session.login_ms),
    }
