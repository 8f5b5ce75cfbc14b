"""Maps broker names in the settings to connectors; nothing else chooses a broker."""
