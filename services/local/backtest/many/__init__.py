"""Many backtests: grids of parameters, their ranking, and how to go on with them."""
