"""Profiles: which strike is bought, how much of it, and when the position is left.

`presets` has the four that come with the program as a table; own ones stand in the settings.
`standard` is made of the settings of chain, levels and sizing.
"""

from services.executor.domain.profiles.presets import PRESETS
from services.executor.domain.profiles.profile import STANDARD, BookingRule, Profile, TrailRule
from services.executor.domain.profiles.strike_choice import StrikeChoice

__all__ = ["PRESETS", "STANDARD", "BookingRule", "Profile", "StrikeChoice", "TrailRule"]
