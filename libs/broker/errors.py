"""What can go wrong at the broker.

BrokerError                is_retriable
├── OrderRefused           no    the broker will not take the order; carries its reason
└── OrderUnknown           no    the answer is unknown: look the tag up before anything else
"""


class BrokerError(Exception):
    """Root of the errors of this package."""

    is_retriable = False


class OrderRefused(BrokerError):
    """The broker refused an order; nothing was placed."""


class OrderUnknown(BrokerError):
    """Whether an order was placed cannot be told from the reply."""
