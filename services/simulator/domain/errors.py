"""The errors of the exchange, with the statuses and types of Kite Connect.

KiteError             status   error_type
├── TokenError        403      TokenException
├── PermissionDenied  403      PermissionException
├── InputError        400      InputException
├── OrderError        400      OrderException
├── MarginError       400      MarginException
├── NotFound          404      GeneralException
├── TooManyRequests   429      NetworkException
└── Unavailable       503      NetworkException
"""


class KiteError(Exception):
    """A refusal that reaches the client as `{"status": "error", "error_type", "message"}`."""

    status = 500
    error_type = "GeneralException"


class TokenError(KiteError):
    """The session is missing, wrong or expired."""

    status = 403
    error_type = "TokenException"


class PermissionDenied(KiteError):
    """The account may not do this."""

    status = 403
    error_type = "PermissionException"


class InputError(KiteError):
    """A parameter is missing or invalid."""

    status = 400
    error_type = "InputException"


class OrderError(KiteError):
    """The order cannot be placed, modified or cancelled."""

    status = 400
    error_type = "OrderException"


class MarginError(KiteError):
    """The account's funds do not suffice."""

    status = 400
    error_type = "MarginException"


class NotFound(KiteError):
    """What the request names does not exist."""

    status = 404


class TooManyRequests(KiteError):
    """More requests than the limits allow."""

    status = 429
    error_type = "NetworkException"


class Unavailable(KiteError):
    """The exchange cannot be reached."""

    status = 503
    error_type = "NetworkException"
