"""The story of a signal, from its candle to its last fill, out of the events that were published.

`story.py` puts events together by signal, `finding.py` finds the one that is meant, `telling.py`
says it in sections of lines and tables, which a terminal, a page and JSON show alike.
"""
