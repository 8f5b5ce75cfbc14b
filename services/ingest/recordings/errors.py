"""What can be wrong with recorded ticks."""

from libs.errors import AlphaStocksError


class RecordingError(AlphaStocksError):
    """Recorded ticks that are missing or cannot be read; one line that names the file."""
