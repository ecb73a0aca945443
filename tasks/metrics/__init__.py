"""Mergeable tallies, and the metrics divided from them."""
