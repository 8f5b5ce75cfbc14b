"""How much of a proof a run holds, by the profile of the run."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.proofs import SAMPLE, WHOLE, examples


@pytest.fixture(params=[SAMPLE, WHOLE, "explore"])
def profile(request: pytest.FixtureRequest) -> Iterator[str]:
    before = settings.get_current_profile_name()
    settings.load_profile(request.param)
    yield request.param
    settings.load_profile(before)


def test_a_long_property_has_few_examples_in_the_sample_and_a_thousand_else(profile: str) -> None:
    assert examples(7).max_examples == (7 if profile == SAMPLE else 1000)
    assert examples(5000).max_examples == 5000


def test_sample_and_whole_are_the_same_each_time_and_exploring_is_not(profile: str) -> None:
    assert examples(7).derandomize is (profile != "explore")
    assert examples(7).deadline is None
