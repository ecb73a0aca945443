import re
from collections.abc import Callable
from pathlib import Path

import pytest

PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"
LAYERS = ("Prefect", "read", "decode", "preprocess", "forward", "top-k and rows", "write")


def test_a_profile_names_every_layer_once_there_was_work(
    root: Path, nightmark: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("evaluate", PLAN, "--dataset", "cifar10", "--model", "resnet8", "--profile")
    nightmark(*words)
    printed = capsys.readouterr().out
    assert re.search(r"Inference: cpu, \d+ lanes, batches of \d+, float32, eager", printed)
    for layer in LAYERS:
        assert re.search(rf"(?m)^{layer}.* +[\d.]+ +[\d,]+ µs +[\d.]+ %$", printed.strip()), layer
    nightmark(*words)
    assert "no image was predicted now" in capsys.readouterr().out
