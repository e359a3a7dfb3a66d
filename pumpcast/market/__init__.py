"""Rows of coin_metrics from a simulated market or a file, into the database or paced as if live."""
