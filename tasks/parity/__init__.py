"""Whether a model is fed as it was trained: variants of its preprocessing, tried and compared."""
