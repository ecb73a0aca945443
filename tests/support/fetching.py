"""What a model's weights become when they are fetched."""

from pathlib import Path

from shards.store import Store
from tasks.models.spec import ModelSpec
from tasks.weights.kept import Fetched, fetch


def fetched(root: Path, address: str) -> Fetched:
    """The weights of a model ``m`` at an address, as the artifact root ``root`` keeps them."""
    spec = ModelSpec.model_validate({"name": "m", "loader": "module:a:b", "weights": address})
    found = fetch(Store.at(root), spec)
    assert found is not None
    return found
