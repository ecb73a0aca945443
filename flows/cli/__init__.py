"""The ``nightmark`` command, one file per group of commands."""
