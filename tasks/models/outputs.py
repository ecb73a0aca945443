"""How many outputs a model has, asked with one black image before any real one is read."""

from collections.abc import Iterator

import torch

from shards.errors import ModelError
from tasks.models.adapter import Adapter
from tasks.models.spec import Preprocessing, ResolvedModel

USUAL_SIDES = (32, 224)
"""Tried where the preprocessing leaves images as they are: CIFAR's, ImageNet's."""


def count_outputs(adapter: Adapter, preprocessing: Preprocessing) -> int | None:
    """The number of scores per image, or None where a black image does not tell it."""
    for height, width in _sizes(preprocessing):
        black = torch.zeros(1, 3, height, width)
        try:
            with torch.inference_mode():
                scores = adapter.scores(black)
        except Exception:  # noqa: S112 (foreign code; the first batch will say what it is)
            continue
        if scores.ndim == 2 and len(scores) == 1:
            return scores.shape[1]
    return None


def require_outputs(outputs: int, model: ResolvedModel) -> None:
    """Raises ModelError where the dataset that the model is bound to needs another number."""
    if model.columns is not None and len(model.columns) != outputs:
        raise ModelError(
            f"model {model.name} has {outputs} outputs, its labels name {len(model.columns)}; "
            f"give `labels` one entry for each output, null for one that means no class"
        )
    if model.columns is None and model.classes not in {None, outputs}:
        raise ModelError(
            f"model {model.name} has {outputs} outputs, the dataset {model.classes} classes; say "
            f"in `labels` which class each output means (null for none), or give a model of this "
            f"dataset"
        )


def _sizes(preprocessing: Preprocessing) -> Iterator[tuple[int, int]]:
    wanted = preprocessing.crop or preprocessing.resize
    if isinstance(wanted, tuple):
        yield wanted
    elif preprocessing.crop is not None and isinstance(wanted, int):
        yield wanted, wanted
    else:
        yield from ((side, side) for side in USUAL_SIDES)
