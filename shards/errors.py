"""The errors a person can act on. Each message names the file, shard or key, and the way out."""


class NightmarkError(Exception):
    """Root of every expected failure; the command line prints its message without a traceback."""


class InputError(NightmarkError):
    """What the user gave (a plan, a path, a source, a model) cannot be used as it is."""


class SourceError(InputError):
    """A source is not in the layout that its name promises."""


class ShardError(NightmarkError):
    """A shard at rest is missing, truncated or not what its manifest says."""


class StoreError(NightmarkError):
    """The artifact root cannot be written: no space, no permission, no connection."""


class ModelError(InputError):
    """A model cannot be loaded, or its outputs contradict what was declared of it."""
