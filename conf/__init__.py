"""What to evaluate: YAML plans, and the typed plan that they must fit."""
