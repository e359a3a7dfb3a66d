"""Packages made and tried out from the command line: training, checking, sending, backtest."""
