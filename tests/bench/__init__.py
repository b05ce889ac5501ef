"""Benchmarks: they print what they measured and never assert it."""
