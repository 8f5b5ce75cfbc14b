"""How much of the long proofs a run holds: a seeded sample (`make test`) or all (`make prove`)."""

from typing import TYPE_CHECKING

from tests.undisturbed import import_undisturbed

if TYPE_CHECKING:
    from hypothesis import settings

# Here and not in a test, for it must be imported before pytest's plugin would do so, late.
hypothesis = import_undisturbed("hypothesis")
SAMPLE, WHOLE, EXPLORE = "sample", "whole", "explore"


def register_profiles() -> None:
    """Make the profiles known and choose the sample; `--hypothesis-profile` chooses another one.

    Whoever runs the sample, or the whole, sees the same examples; `explore` looks for others. No
    deadlines: a busy machine must not fail a property.
    """
    for name, count in ((SAMPLE, 50), (WHOLE, 1_000), (EXPLORE, 1_000)):
        hypothesis.settings.register_profile(
            name, max_examples=count, derandomize=name != EXPLORE, deadline=None
        )
    hypothesis.settings.load_profile(SAMPLE)


def is_sample() -> bool:
    """Tell whether this run holds samples only."""
    return bool(hypothesis.settings.get_current_profile_name() == SAMPLE)


def examples(sample: int) -> "settings":
    """Let a property have so many examples in the sample, else those of the profile or more."""
    whole = hypothesis.settings().max_examples
    made: settings = hypothesis.settings(max_examples=sample if is_sample() else max(sample, whole))
    return made
