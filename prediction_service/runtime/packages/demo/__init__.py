"""The demonstration package."""
