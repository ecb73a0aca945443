"""What to load, how to feed it, and the engine that runs it."""
