from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture
def _no_waits() -> Iterator[None]:
    """Retry at once, a limited number of times."""
    stamina.set_testing(True, attempts=50)
    yield
    stamina.set_testing(False)
