"""Where in an author's own file an error arose."""


def line_within(error: BaseException, file: str) -> int | None:
    """Return the last line of a file that an error came through, None if it came through none."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
