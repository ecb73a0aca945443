"""Real models on the real CIFAR-10 test images, against scikit-learn, scipy and statsmodels."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, recall_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from tests.flows.conftest import REFERENCE_PLAN as PLAN
from tests.flows.conftest import Evaluated
from tests.support.shared_data import SHARED, needs_shared

Command = Callable[..., int]
pytestmark = needs_shared


@pytest.fixture
def with_resnet20(root: Path, resnet20: Evaluated) -> Path:
    """An artifact root of our own that holds the evaluation of ResNet-20."""
    shutil.copytree(resnet20.root, root)
    return root


def comparison(root: Path, model: str) -> dict[str, Any]:
    (path,) = root.glob(f"comparisons/cifar10/test/{model}/*/comparison.json")
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def predictions(root: Path, model: str) -> pd.DataFrame:
    rows = ds.dataset(root / "predictions", partitioning="hive").to_table()
    frame = rows.to_pandas()
    frame["said"] = [best[0] for best in frame["topk"]]
    return frame[frame["model"] == model].set_index("key").sort_index()


def assert_agrees(found: dict[str, Any], old: pd.DataFrame, new: pd.DataFrame) -> None:
    assert (old.index == new.index).all()
    targets = old["target"]
    right = [side["said"] == targets for side in (old, new)]
    table = pd.crosstab(*right).to_numpy()
    assert [found["both_wrong"], found["fixed"], found["broken"], found["both_right"]] == [
        *table.ravel().tolist()
    ]
    assert found["p"] == pytest.approx(mcnemar(table, exact=True).pvalue, rel=1e-9)
    chi_squared = mcnemar(table, exact=False, correction=True).statistic
    assert found["chi_squared"] == pytest.approx(chi_squared)
    change = {entry["metric"]: entry for entry in found["overall"]}
    scores = [accuracy_score(targets, side["said"]) for side in (old, new)]
    assert change["top1"]["difference"] == pytest.approx(scores[1] - scores[0], abs=1e-12)
    # Ten thousand images: the score interval and the plain one are the same to 1e-4.
    gain, share = scores[1] - scores[0], (table[0, 1] + table[1, 0]) / len(old)
    reach = stats.norm.isf(0.025) * np.sqrt((share - gain**2) / len(old))
    assert (change["top1"]["low"], change["top1"]["high"]) == pytest.approx(
        (gain - reach, gain + reach), abs=1e-4
    )
    oracle = stats.ttest_rel(new["nll"].astype(float), old["nll"].astype(float))
    interval = oracle.confidence_interval()
    assert (change["nll"]["low"], change["nll"]["high"]) == pytest.approx(
        (interval.low, interval.high), abs=1e-9
    )
    changed = int((old["said"] != new["said"]).sum())
    assert (found["churn"]["hits"], found["churn"]["n"]) == (changed, 10_000)
    recalls = [recall_score(targets, side["said"], average=None) for side in (old, new)]
    assert [entry["difference"] for entry in found["per_class"]] == pytest.approx(
        (recalls[1] - recalls[0]).tolist(), abs=1e-12
    )
    exact = [
        mcnemar(pd.crosstab(*(side[targets == c] for side in right))).pvalue for c in range(10)
    ]
    assert [entry["p"] for entry in found["per_class"]] == pytest.approx(exact, rel=1e-9)
    adjusted = multipletests(exact, method="fdr_bh")[1].tolist()
    assert [entry["q"] for entry in found["per_class"]] == pytest.approx(adjusted, rel=1e-9)


def test_imported_predictions_against_resnet20(
    with_resnet20: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = SHARED / "data/label_errors/cifar10_test_set_pyx.npy"
    words = ("--dataset", "cifar10", "--model", "cleanlab", "--output", "probabilities")
    assert nightmark("import-predictions", PLAN, scores, *words) == 0
    assert nightmark("compare", "cifar10/test/resnet20", "cifar10/test/cleanlab") == 0
    assert "cleanlab is better than resnet20: top-1 accuracy +11.9 points" in (
        capsys.readouterr().out
    )
    sides = [predictions(with_resnet20, model) for model in ("resnet20", "cleanlab")]
    assert_agrees(comparison(with_resnet20, "cleanlab"), *sides)


@pytest.mark.system
def test_resnet56_against_resnet20(with_resnet20: Path, nightmark: Command) -> None:
    """Shards of another size, too: what is paired is images."""
    words = ("--dataset", "cifar10", "--model", "resnet56")
    nightmark("evaluate", PLAN, *words, "--set", "runtime.samples_per_shard=777")
    assert nightmark("compare", "cifar10/test/resnet20", "cifar10/test/resnet56") == 0
    found = comparison(with_resnet20, "resnet56")
    assert found["both_right"] + found["broken"] == 8103
    assert found["both_right"] + found["fixed"] == 8320
    assert found["matched_by"] == "images"
    assert found["baseline"]["dataset_version"] != found["candidate"]["dataset_version"]
    sides = [predictions(with_resnet20, model) for model in ("resnet20", "resnet56")]
    assert_agrees(found, *sides)
