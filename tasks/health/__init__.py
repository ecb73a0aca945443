"""What a high score may hide: one file per check, each of which ends in a Finding."""
