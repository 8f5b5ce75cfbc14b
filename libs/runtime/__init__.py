"""What all services share: consumer loops, clocks, settings, logs, health, metrics."""
