"""Rows of predictions, and the records of what makes up an evaluation."""
