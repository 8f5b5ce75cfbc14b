"""The shell that all services share: loops, clocks, settings, logs, health."""
