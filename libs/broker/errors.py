"""The errors of brokers.

BrokerError                is_retriable
├── SessionError           no    no usable session: log in
│   ├── SessionMissing     no    nobody has logged in
│   ├── LoginRefused       no    the login is not accepted; says which part of it is wrong
│   ├── SessionFileBroken  no    the session's file cannot be read
│   └── SessionExpired     no    the access token has expired: wait for a new one
├── RateLimited            yes   too many requests; says after how many ms to retry
├── BrokerUnavailable      yes   no connection, no answer in time, or 5xx
├── ReplyUnreadable        yes   a reply that cannot be parsed
│   └── DumpRefused        no    a list of instruments of which most cannot be read
├── AccountRefused         no    orders must not go to this account
├── RequestRefused         no    the broker refused the request; carries its reason
├── OrderRefused           no    the broker refused the order; carries its reason
├── OrderNotSent           no    an order was certainly not sent, and may be sent later
└── OrderUnknown           no    the reply was lost: look the tag up before anything else

No message carries an access token or a secret.
"""

from libs.errors import AlphaStocksError


class BrokerError(AlphaStocksError):
    """Root of the errors of this package."""


class SessionError(BrokerError):
    """There is no usable session; the message says what to do."""


class SessionMissing(SessionError):
    """Nobody has logged in yet."""


class LoginRefused(SessionError):
    """The broker does not accept the login; the message says which part of it is wrong."""


class SessionFileBroken(SessionError):
    """The file of the session cannot be read."""


class SessionExpired(SessionError):
    """The access token has expired, or the broker does not accept it."""


class RateLimited(BrokerError):
    """Too many requests: nothing was done. Retry after `retry_after_ms`."""

    is_retriable = True

    def __init__(self, message: str, retry_after_ms: int) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class BrokerUnavailable(BrokerError):
    """The broker does not answer. `was_sent` is False if the request was certainly not sent."""

    is_retriable = True

    def __init__(self, message: str, was_sent: bool = True) -> None:
        super().__init__(message)
        self.was_sent = was_sent


class ReplyUnreadable(BrokerError):
    """The broker's reply cannot be parsed."""

    is_retriable = True


class DumpRefused(ReplyUnreadable):
    """The day's list of instruments lacks a column, or most of its rows cannot be read."""

    is_retriable = False


class AccountRefused(BrokerError):
    """The account is not one that orders may go to; nothing was sent."""


class RequestRefused(BrokerError):
    """The broker refused the request; `error_type` is its name for the reason."""

    def __init__(self, message: str, error_type: str = "") -> None:
        super().__init__(message)
        self.error_type = error_type


class OrderRefused(BrokerError):
    """The broker refused an order; nothing was placed."""


class OrderNotSent(BrokerError):
    """An order was certainly not sent, and may be sent later.

    `retry_after_ms` is how long there is no room in the rate limits, 0 if that is not the reason.
    `needs_login`: there is no session.
    """

    def __init__(self, message: str, *, retry_after_ms: int = 0, needs_login: bool = False) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms
        self.needs_login = needs_login


class OrderUnknown(BrokerError):
    """It is unknown whether an order was placed."""
