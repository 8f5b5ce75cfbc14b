"""The kinds of faults, and the schedule by which they happen."""
