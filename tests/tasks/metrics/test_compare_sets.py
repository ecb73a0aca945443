import numpy as np
import pyarrow as pa

from tasks.metrics.aligned import align
from tasks.metrics.compare import Measured
from tests.tasks.metrics.compared_pairs import (
    certain,
    compared,
    measured,
    two,
)


def test_nothing_in_common_is_said_and_is_no_zero() -> None:
    nothing = measured("old", certain([0], [1]), [None])
    found, changed = compared(nothing, measured("new", certain([0], [1]), [None]))
    assert (found.n, found.p, found.chi_squared) == (0, None, None)
    assert {change.state for change in found.overall} == {"no_samples"}
    assert found.per_class == ()
    assert changed.num_rows == 0
    apart = compared(nothing, measured("new", certain([0], [1]), [0], keys=["other"]), "key")[0]
    assert (apart.common, apart.only_baseline, apart.only_candidate) == (0, 1, 1)
    assert apart.churn.state == "no_samples"


def test_a_corrected_label_counts_for_both_sides() -> None:
    scores = certain([0, 1, 2], [3, 3, 3])
    old = measured("old", scores, [0, 1, 1])
    new = measured("new", scores, [0, 1, 2])
    found, _ = compared(old, new)
    assert (found.retargeted, found.both_right, found.fixed) == (1, 3, 0)
    nll = found.change("nll")
    assert nll is not None
    assert nll.n == 2


def test_other_images_are_compared_as_two_sets_and_say_which_are_common() -> None:
    old = measured("old", certain([0, 0, 1, 1], [3] * 4), [0, 0, 0, 0], keys=list("abcd"))
    new = measured("new", certain([0, 0, 0], [3] * 3), [0, 0, 0], keys=list("dcx"))
    found, _ = compared(old, new, "key")
    assert (found.paired, found.common, found.only_baseline, found.only_candidate) == (
        *(False, 2, 2, 1),
    )
    top1, nll = found.change("top1"), found.change("nll")
    assert top1 is not None
    assert nll is not None
    assert (top1.method, top1.baseline, top1.candidate, top1.n) == ("newcombe", 0.5, 1.0, 3)
    assert nll.state == "unpaired"
    assert (found.fixed, found.n) == (2, 2)


def test_a_key_whose_image_changed_is_not_common() -> None:
    old = measured("old", certain([0, 0], [3, 3]), [0, 0], keys=["a", "b"])
    new = measured("new", certain([0, 0], [3, 3]), [0, 0], keys=["b", "a"])
    digests = (
        pa.table({"key": ["a", "b"], "sha256": ["1", "2"]}),
        pa.table({"key": ["a", "b"], "sha256": ["1", "3"]}),
    )
    rows = align(old.rows, new.rows, digests)
    assert rows.candidate["key"].to_pylist() == rows.baseline["key"].to_pylist() == ["a"]
    assert (rows.only_baseline, rows.only_candidate) == (1, 1)


def test_another_order_pairs_the_same_samples() -> None:
    old, new, _ = two(60)
    order = np.random.default_rng(1).permutation(60)
    shuffled = Measured(new.side, new.rows.take(pa.array(order)))
    there, other = compared(old, new)[0], compared(old, shuffled)[0]
    for name in ("both_right", "fixed", "broken", "both_wrong", "p", "churn", "per_class"):
        assert getattr(there, name) == getattr(other, name)
    assert there.fixed_samples == other.fixed_samples
