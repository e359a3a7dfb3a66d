"""The prediction service: imports models and answers every new row."""
