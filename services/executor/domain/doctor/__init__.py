"""What is checked before and while a real account is traded: pure functions from facts to findings.

`alphastocks doctor` shows them, before anything runs and of an executor that runs; while one has
failed live trading is not armed.
"""
