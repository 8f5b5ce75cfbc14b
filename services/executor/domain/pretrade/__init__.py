"""What is checked before an order is planned, one small class for each check.

`checks.check` returns the first reason against an order, `checks.refusals` all of them.
"""
