"""The files that a plan names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shards.errors import NightmarkError
from tasks.doctor.check import Check, fault, fine
from tasks.weights.address import Address
from tasks.weights.kept import stamp_of


@dataclass(frozen=True, slots=True)
class Input:
    """A file or folder of the plan; ``what`` is as the plan says it."""

    what: str
    path: Path

    @property
    def fault(self) -> str:
        """Why it cannot be read; empty if it can."""
        try:
            if self.path.is_dir():
                return "" if any(self.path.iterdir()) else "is empty"
            with self.path.open("rb") as file:
                return "" if file.read(1) else "is empty"
        except OSError as error:
            return error.strerror or str(error)

    @property
    def size(self) -> int:
        """Bytes of the file, or of all files below the folder; 0 of what cannot be read."""
        try:
            if self.path.is_dir():
                return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())
            return self.path.stat().st_size if self.path.is_file() else 0
        except OSError:
            return 0


@dataclass(frozen=True, slots=True)
class InputElsewhere:
    """Weights that are fetched when they are needed."""

    what: str
    address: Address
    model: str

    @property
    def path(self) -> str:
        """For a person."""
        return self.address.shown

    @property
    def fault(self) -> str:
        """Why they cannot be had; empty if they are there, which is all that is asked."""
        try:
            stamp_of(self.model, self.address)
        except NightmarkError as error:
            return str(error)
        return ""


def check_inputs(inputs: Sequence[Input | InputElsewhere]) -> Iterator[Check]:
    """Each that cannot be read, or that all can."""
    wrong = [(each, why) for each in inputs if (why := each.fault)]
    for each, why in wrong:
        yield fault(each.what, f"{each.path}: {why}", "correct the plan, or put the file there")
    if not wrong:
        yield fine("inputs of the plan", f"all {len(inputs)} files and folders can be read")
