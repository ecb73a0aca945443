"""One module per family of models, and the registry that knows them by name."""
