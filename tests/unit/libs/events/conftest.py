"""Properties take the time they need."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # busy machines must not fail a property
settings.load_profile("unhurried")
