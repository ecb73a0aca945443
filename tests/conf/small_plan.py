"""A plan as text, and what is said of a faulty one."""

from pathlib import Path

import pytest

from conf.loading import load
from shards.errors import InputError

PLAN = """\
name: small
datasets:
  - name: d
    split: test
    source: folder
    location: images
models:
  - name: m
    loader: timm:resnet18
    preprocessing:
      resize: 32
gates:
  - metric: top1
    min: 0.5
  - preset: cifar10
    datasets: [d]
runtime:
  batch_size: 16
"""


def message(path: Path, *overrides: str, **environment: str) -> str:
    with pytest.raises(InputError) as refused:
        load(path, overrides, environment)
    return str(refused.value)


def changed(old: str, new: str) -> str:
    assert PLAN.count(old) == 1
    return PLAN.replace(old, new)
