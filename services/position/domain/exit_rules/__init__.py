"""The rules that exit a position: one per module, ordered in `settings.py`."""
