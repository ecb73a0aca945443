"""The DAGs: which step, on which slot, when, and what to do when it fails."""
