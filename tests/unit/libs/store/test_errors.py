import pytest

from libs.store import errors
from libs.store.store import StoreAddress


@pytest.mark.parametrize(
    ("kind", "is_retriable"),
    [
        (errors.StoreUnavailable, True),
        (errors.StoreRejected, False),
        (errors.ColumnsRejected, False),
        (errors.MigrationRefused, False),
        (errors.StoreFolderBusy, False),
        (errors.ServerMissing, False),
        (errors.ServerFailed, False),
    ],
)
def test_an_error_says_itself_whether_trying_again_can_help(
    kind: type[errors.StoreError], is_retriable: bool
) -> None:
    assert kind("why").is_retriable is is_retriable
    assert f"── {kind.__name__} " in (errors.__doc__ or "")


def test_an_address_does_not_show_its_password() -> None:
    assert "hunter2" not in repr(StoreAddress(password="hunter2"))
