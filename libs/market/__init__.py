"""The market in pure code: instruments, sessions, dated rules, charges, option values, quotes."""
