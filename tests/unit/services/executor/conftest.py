from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture
def _no_waits() -> Iterator[None]:
    """Retry at once, and not for ever."""
    stamina.set_testing(True, attempts=50)
    yield
    stamina.set_testing(False)
