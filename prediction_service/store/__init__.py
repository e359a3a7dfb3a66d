"""The tables of the prediction service, one module each."""
