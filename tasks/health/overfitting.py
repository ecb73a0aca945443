"""Overfitting: the model does better on the images that it was trained on."""

from tasks.gates.sentences import with_interval
from tasks.health.finding import Check, Evidence, Finding
from tasks.metrics.change import Tally, unpaired_change
from tasks.metrics.comparison_words import change_text
from tasks.metrics.scoring import Scoring

GAP = 0.03
"""It warns where accuracy on training images is shown to be higher by this. Every trained network
has some gap; below three points it is hardly worth more regularisation or more images."""
ADVICE = (
    "The test figure is the one to believe. Train with more images, augmentation or "
    "regularisation, or stop earlier, and watch whether the gap closes without the test figure "
    "falling."
)


def overfitting(test: Scoring, train: Scoring) -> Finding:
    """Top-1 on training images less top-1 on test images, with Newcombe's interval.

    Raises:
        ValueError: the two are not of one model.
    """
    if test.model_fingerprint != train.model_fingerprint:
        raise ValueError(f"{test.pair} and {train.pair} are not of one version of the model")
    check: Check = "overfitting"
    on_test, on_train = test.metric("top1"), train.metric("top1")
    if not test.n or not train.n or on_test.hits is None or on_train.hits is None:
        return Finding.not_checked(check, "there is no labelled image that was predicted.")
    change = unpaired_change(
        "top1", Tally(hits=on_train.hits, n=on_train.n), Tally(hits=on_test.hits, n=on_test.n)
    )
    sentence = (
        f"Top-1 is {with_interval(on_train, train.confidence)} on training images "
        f"({train.pair.name.split}) and {with_interval(on_test, test.confidence)} here: "
        f"{change_text(change)}."
    )
    evidence = Evidence(metrics=(on_test, on_train), changes=(change,))
    if change.low is not None and change.low > GAP:
        return Finding.warning(check, sentence, evidence, ADVICE)
    return Finding.info(check, sentence, evidence)
