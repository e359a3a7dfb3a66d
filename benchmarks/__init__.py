"""Benchmarks: each figure beside the naive way, in the same run."""
