"""HTTP routes of the training API."""
