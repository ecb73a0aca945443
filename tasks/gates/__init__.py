"""Requirements, and whether they are met."""
