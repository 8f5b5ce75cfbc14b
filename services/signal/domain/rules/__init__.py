"""The rules that a signal must pass: one per module, ordered in `settings.py`."""
