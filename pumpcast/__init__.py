"""The front door: the console script `pumpcast` and the simulated market."""
