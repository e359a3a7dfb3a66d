"""The training service: asks in, proved models out."""
