"""JSON files with a schema name and a version: how they are written, and read back or refused."""

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from shards.errors import ShardError
from shards.store import Store
from tasks.layout import PairName, SplitName


class Record(BaseModel):
    """A frozen value that is kept as a JSON file. Subclasses pin ``schema_name`` and version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> bytes:
        """Pretty, with a newline at the end; equal records give equal bytes."""
        return self.model_dump_json(indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, raw: bytes, where: str) -> Self:
        """Raises ShardError naming the file ``where`` if it is not such a record."""
        try:
            found = cls.model_validate_json(raw)
        except ValidationError as error:
            raise ShardError(
                f"{where} is no {cls.__name__} of this version "
                f"({error.errors()[0]['msg']}); remove the file and run again"
            ) from error
        if not found.model_fields_set >= {"schema_name", "schema_version"}:
            raise ShardError(f"{where} does not say which schema it has; remove it and run again")
        return found

    @classmethod
    def read(cls, store: Store, path: str, remedy: str) -> Self:
        """The record at a path; ``remedy`` is what to do where there is none. Raises ShardError."""
        where = store.locate(path)
        try:
            return cls.from_json(store.read(path), where)
        except FileNotFoundError as error:
            raise ShardError(f"{where} is missing; {remedy}") from error


class Pair(BaseModel):
    """A model on a split, as records name it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    split: str
    model: str

    @classmethod
    def of(cls, name: PairName) -> Self:
        return cls(dataset=name.split.dataset, split=name.split.split, model=name.model)

    @property
    def name(self) -> PairName:
        return PairName(SplitName(self.dataset, self.split), self.model)

    def __str__(self) -> str:
        return str(self.name)
