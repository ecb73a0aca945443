"""A model that is not what it was when it was last evaluated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.layout import PairName
from tasks.updates.forecast import SHORT, LastTime

EVENT = "nightmark.model.updated"


@dataclass(frozen=True)
class Update:
    """A new version of a model, and the datasets whose figures are of the old one.

    ``before`` is the fingerprint of the newest of those evaluations.
    """

    model: str
    before: str
    after: str
    datasets: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """For a person."""
        change = f"{self.before[:SHORT]} to {self.after[:SHORT]}"
        return f"{self.model} changed from {change}; evaluated before on {', '.join(self.datasets)}"

    @property
    def resource(self) -> str:
        """The id under which events speak of the model."""
        return f"nightmark.model.{self.model}"


def update_of(
    model: str, fingerprint: str, pairs: Sequence[PairName], last: Mapping[PairName, LastTime]
) -> Update | None:
    """The update of a model that now has this fingerprint; None where its figures are its own.

    A pair that no night has evaluated is no update: the next night takes it.
    """
    old = [pair for pair in pairs if pair in last and last[pair].outcome.fingerprint != fingerprint]
    if not old:
        return None
    newest = last[max(old, key=lambda pair: last[pair].night.started)]
    datasets = tuple(pair.split.dataset for pair in old)
    return Update(model, newest.outcome.fingerprint, fingerprint, datasets)
