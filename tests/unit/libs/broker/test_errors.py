from libs.broker.errors import BrokerError, OrderRefused, OrderUnknown


def test_no_error_of_an_order_is_simply_tried_again() -> None:
    for error in (BrokerError("x"), OrderRefused("x"), OrderUnknown("x")):
        assert isinstance(error, BrokerError)
        assert not error.is_retriable
