"""Numbers → pages."""
