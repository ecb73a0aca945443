"""Where a plan says that weights lie: a local path, or an address elsewhere."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from tasks.weights import hub, registry
from tasks.weights.object_store import ObjectStore
from tasks.weights.redaction import without_secrets
from tasks.weights.remote import Remote

ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*://|models:/")


@dataclass(frozen=True)
class Address:
    """An address as the plan gives it. Raises ValueError if it is none.

    ``s3://BUCKET/FILE`` and other URLs of fsspec, ``hf://ORG/NAME@REVISION/FILE``,
    ``models:/NAME@ALIAS/FILE``. Without a file, or with a slash at its end, it is that of a folder.
    """

    text: str

    def __post_init__(self) -> None:
        _ = self.remote

    @staticmethod
    def is_one(text: str) -> bool:
        """Whether a text is an address, right or wrong, and no path."""
        return ELSEWHERE.match(text) is not None

    @property
    def remote(self) -> Remote:
        """Whom to ask."""
        if self.text.startswith(hub.PREFIX):
            return hub.Hub.of(self.text)
        if self.text.startswith(registry.PREFIX):
            return registry.Registry.of(self.text)
        return ObjectStore.of(self.text)

    @property
    def shown(self) -> str:
        """For records and people: the query of a web address may hold a signature."""
        return without_secrets(self.text)

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"


def path_or_address(value: object) -> Path | Address:
    """Raises ValueError if it is neither."""
    if isinstance(value, Path | Address):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("a path or an address is needed")
    return Address(value) if Address.is_one(value) else Path(value)


AS_TEXT = PlainSerializer(str, return_type=str, when_used="json")
"""As it is shown: Prefect keeps the plan among the parameters of a run, and the watch the model."""
Weights = Annotated[
    Path | Address, PlainValidator(path_or_address, json_schema_input_type=str), AS_TEXT
]
