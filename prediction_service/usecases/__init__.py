"""What the prediction service does, a function each."""
