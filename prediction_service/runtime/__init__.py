"""Models and rows in memory."""
