"""The mathematics of training: arrays in, models and figures out; no database, no settings, no clock."""
