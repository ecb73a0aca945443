import pytest

from tasks.metrics.change import Change, Tally, paired_change, unpaired_change
from tasks.metrics.comparison_words import (
    basis,
    change_text,
    changed_classes,
    classes_text,
    conclusion,
    difference_text,
    is_claimed,
    p_figure,
    p_text,
    signed,
    table_text,
)
from tests.support.compared import comparison, side, top1


def test_a_change_is_one_line() -> None:
    assert change_text(top1(30, 22)) == (
        "+0.8 points (95 % interval −0.6 to +2.3), 30 fixed, 22 broken, p = 0.33"
    )
    assert change_text(top1(5, 80)).startswith("−7.5 points (95 % interval −9.4 to −5.9)")


def test_ends_of_an_interval_are_told_from_0() -> None:
    change = Change(
        metric="top1", difference=0.0103, low=0.0002, high=0.0204, n=9_000, method="newcombe"
    )
    assert change_text(change) == "+1.0 points (95 % interval +0.02 to +2.0)"
    assert signed(-0.0001) == "−0.01"
    assert signed(0.0) == signed(-1e-15) == "0.0"
    assert difference_text("nll", 0.0) == difference_text("nll", -0.0) == "0"


def test_a_loss_is_no_percentage() -> None:
    change = Change(metric="nll", difference=-0.0123, low=-0.02, high=0.004, n=9, method="student")
    assert change_text(change) == "−0.0123 (95 % interval −0.02 to +0.004)"
    alone = Change(metric="nll", difference=0.5, n=1)
    assert change_text(alone) == "+0.5 (too few for an interval)"
    assert "a target was given the probability 0" in change_text(
        Change(metric="nll", state="infinite", n=3)
    )


@pytest.mark.parametrize(
    ("p", "text"), [(0.0166738, "p = 0.017"), (1.0, "p = 1"), (3e-9, "p < 0.0001")]
)
def test_p_in_words(p: float, text: str) -> None:
    assert p_text(p) == text


def test_a_corrected_p_is_told_from_the_bound_that_decides() -> None:
    assert p_figure(0.0502, (0.05,)) == "0.0502"
    assert p_text(0.04999, "q", (0.05,)) == "q = 0.04999"
    assert p_text(1e-9, "q") == "q < 0.0001"


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (top1(30, 22), "No difference between new and old is shown: top-1 accuracy +0.8 points"),
        (top1(80, 5), "new is better than old: top-1 accuracy +7.5 points"),
        (top1(5, 80), "new is worse than old: top-1 accuracy −7.5 points"),
        (Change(metric="top1", state="no_samples", n=0), "new and old: top-1 accuracy cannot be"),
    ],
)
def test_the_conclusion_claims_what_the_interval_shows(change: Change, start: str) -> None:
    assert conclusion(comparison(change)).startswith(start)


def test_versions_of_one_model_are_told_apart_by_their_evaluations() -> None:
    found = comparison(top1(80, 5), baseline=side("net", "e1"), candidate=side("net", "e2"))
    assert conclusion(found).startswith("net (e2) is better than net (e1):")
    same = comparison(top1(0, 0), baseline=side("net", "e1"), candidate=side("net", "e1"))
    assert conclusion(same).endswith("are the same evaluation; nothing changed.")


def test_what_was_left_out_is_told() -> None:
    assert basis(comparison(top1(3, 2))) == (
        "Both were measured on the same images; 1,000 labelled images count.",
    )
    lines = basis(
        comparison(top1(3, 2), unlabelled=1, failed_baseline=2, failed_candidate=3, retargeted=4)
    )
    assert lines[1:4] == (
        "Left out: 1 image without a label.",
        "Left out: 2 images that the baseline could not predict.",
        "Left out: 3 images that the candidate could not predict.",
    )
    assert lines[4].startswith("4 images have another label")


def test_other_images_are_said_to_be_others() -> None:
    change = unpaired_change("top1", Tally(hits=70, n=100), Tally(hits=60, n=90))
    found = comparison(change, paired=False, matched_by="sha256", common=80, only_baseline=10)
    (said,) = basis(found)
    assert "as of two independent sets of images" in said
    assert "80 samples are common (by key and the SHA-256 of the image), 10 only in" in said
    assert change_text(change).startswith("+3.3 points (95 % interval −9.7 to +16.4)")


def test_the_table_and_the_churn_are_told() -> None:
    assert table_text(comparison(top1(30, 22))) == (
        "Both right 700, fixed 30, broken 22, both wrong 248. "
        "The first prediction changed on 12.0 % of the images (120)."
    )


def test_classes_are_called_changed_after_the_correction() -> None:
    def recall(index: int, won: int, lost: int, q: float) -> Change:
        return paired_change("recall", (won, lost), (won, lost), 50, 0.001, index, q)

    changes = (recall(0, 12, 1, 0.01), recall(1, 0, 15, 0.001), recall(1, 9, 1, 0.2))
    found = comparison(top1(3, 2), per_class=changes)
    assert [c.difference for c in changed_classes(found)] == [-0.3, 0.22]
    assert [is_claimed(change) for change in changes] == [True, True, False]
    assert changes[2].is_shown, "alone it would be called a change"
    assert classes_text(found).startswith("Of 3 classes, 2 have a recall that changed; at most 5 %")
    assert classes_text(comparison(top1(3, 2), per_class=changes[2:])) == (
        "Of 1 class none has a recall that is shown to have changed."
    )
