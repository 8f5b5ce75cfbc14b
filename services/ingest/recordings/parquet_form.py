"""Reader of Parquet files."""

from io import BytesIO
from pathlib import Path

import pandas as pd
from fastparquet import ParquetFile

from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.table import Table


def read_parquet(path: Path, content: bytes) -> Table:
    """Read Parquet; raise RecordingError if its bytes are damaged."""
    try:
        frame: pd.DataFrame = ParquetFile(BytesIO(content)).to_pandas()
    except Exception as error:  # noqa: BLE001  its reader raises whatever the bytes lead to
        reason = " ".join(str(error).split())
        raise RecordingError(f"{path}: it is no Parquet file that can be read: {reason}") from None
    frame = frame.reset_index(drop=frame.index.name is None)
    return Table(path, frame, row_word="row", first_row=1)
