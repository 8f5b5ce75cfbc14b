"""Recorded ticks, in whatever form they were kept: files in, columns out.

`place.py` finds the files of a day, `forms.py` tells a file's form by its content and has the
reader of each form, `columns.py` turns a table into the ticks of its instruments, `instruments.py`
names them, and `frames.py` merges them into what arrived together. docs/recorded-data.md
says which columns are understood.
"""
