"""Packages of a forecaster and a policy: safe reading, features, observation, models."""
