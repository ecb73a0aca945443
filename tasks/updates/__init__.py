"""Model updates: what changed since it was evaluated, and what that would cost."""
