"""Kite's envelopes: success around data, errors around a reason."""

import json
from typing import Any

from starlette.responses import Response

from services.simulator.domain.errors import KiteError

_JSON = "application/json"


def success(reply: Any) -> Response:
    """Return data in Kite's envelope; text is a CSV file as it stands."""
    if isinstance(reply, str):
        # exactly so, as Kite sends it: with a character set its JavaScript client parses no rows
        return Response(reply, headers={"content-type": "text/csv"})
    body = json.dumps({"status": "success", "data": reply}, allow_nan=False)
    return Response(body, media_type=_JSON)


def refusal(error: KiteError) -> Response:
    """Return a refusal in Kite's envelope."""
    return failure(error.status, error.error_type, str(error))


def failure(status: int, error_type: str, message: str) -> Response:
    """Return an error in Kite's envelope."""
    body = {"status": "error", "message": message, "error_type": error_type, "data": None}
    return Response(json.dumps(body), status, media_type=_JSON)
