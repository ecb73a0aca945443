"""Targets laid over those of a dataset: corrected labels, or several acceptable ones per key."""
