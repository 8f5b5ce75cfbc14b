"""The stack on Docker that runs, simulator or live, and what is done with it: `make halt`, say.

The simulator is the project `alphastocks`, the live stack `alphastocks-live`. Every verb finds the
one that runs, says its name and acts on it. It fails with one line where none or both run, or where
nothing was done. `found.py` chooses, `engine.py` asks Docker; the verbs are in `making.py` (up,
down, rotate), `saving.py` (backup, restore) and `operating.py` (the rest).
"""
