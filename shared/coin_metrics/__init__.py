"""The table coin_metrics: its columns, rows, reading."""
