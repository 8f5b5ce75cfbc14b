"""What can go wrong at the broker.

BrokerError                is_retriable
├── SessionError           no    log in; every request with this session would fail
│   ├── SessionMissing     no    nobody has logged in
│   ├── SessionFileBroken  no    the session's file cannot be read
│   └── SessionExpired     no    the access token is over: wait for a new one
├── RateLimited            yes   too many requests; says after how many ms to come back
├── BrokerUnavailable      yes   no connection, no answer in time, or 5xx
├── ReplyUnreadable        yes   an answer, but not one that can be understood
├── AccountRefused         no    we will not trade at this account
├── RequestRefused         no    the broker will not do this, in its own words
├── OrderRefused           no    the broker will not take the order; carries its reason
└── OrderUnknown           no    the answer is unknown: look the tag up before anything else

No message carries an access token or a secret.
"""

from libs.errors import AlphaStocksError


class BrokerError(AlphaStocksError):
    """Root of the errors of this package; says itself whether trying again can help."""


class SessionError(BrokerError):
    """There is no session to make requests with; the message says what to do."""


class SessionMissing(SessionError):
    """Nobody has logged in yet."""


class SessionFileBroken(SessionError):
    """The file of the session cannot be read."""


class SessionExpired(SessionError):
    """The access token is over, or the broker does not accept it."""


class RateLimited(BrokerError):
    """Too many requests: nothing was done. `retry_after_ms` says when to come back."""

    is_retriable = True

    def __init__(self, message: str, retry_after_ms: int) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class BrokerUnavailable(BrokerError):
    """The broker does not answer now. `was_sent` is False if the request surely never left."""

    is_retriable = True

    def __init__(self, message: str, was_sent: bool = True) -> None:
        super().__init__(message)
        self.was_sent = was_sent


class ReplyUnreadable(BrokerError):
    """The broker answered with something else than what was asked for."""

    is_retriable = True


class AccountRefused(BrokerError):
    """The account is not one that orders may go to; nothing was sent."""


class RequestRefused(BrokerError):
    """The broker refuses the request; `error_type` is its own name for the reason."""

    def __init__(self, message: str, error_type: str = "") -> None:
        super().__init__(message)
        self.error_type = error_type


class OrderRefused(BrokerError):
    """The broker refused an order; nothing was placed."""


class OrderUnknown(BrokerError):
    """Whether an order was placed cannot be told from the reply."""
