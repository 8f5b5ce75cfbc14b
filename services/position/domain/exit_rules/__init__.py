"""When a position is left, and why: one small rule each, put in their order by `settings.py`."""
