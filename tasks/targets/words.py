"""What an overlay did, in sentences for a report and the command line."""

from tasks.metrics.words import counted
from tasks.targets.overlay import Overlaid

KINDS = {"corrected": "corrected labels", "acceptable": "acceptable labels"}


def overlaid_sentences(said: Overlaid) -> tuple[str, ...]:
    """One sentence on what counts as right, and one on each thing that limits the figures."""
    named = counted(said.named, "image")
    verb = "shows" if said.changed == 1 else "show"
    judged = f"Judged by the {KINDS[said.kind]} of {said.file} for {named}"
    found = [f"{judged}: {said.changed:,} of them {verb} something else than the dataset says."]
    if said.kind == "acceptable":
        found.append(
            "A prediction is right if it is one of an image's acceptable labels; the label that "
            "the model ranks best counts as its target."
        )
    if said.left_out:
        found.append(
            f"{counted(said.left_out, 'image has', 'images have')} no right label and no part in "
            "the figures."
        )
    if said.foreign:
        found.append(
            f"{counted(said.foreign, 'key')} of the file {'is' if said.foreign == 1 else 'are'} "
            "of no image here."
        )
    if said.unscored:
        found.append(
            f"Negative log-likelihood and Brier score need the probability of every target; that "
            f"of {counted(said.unscored, 'new one')} was not kept."
        )
    if said.rounded:
        found.append(
            f"The probability of {counted(said.rounded, 'new target')} was kept as float16: "
            "negative log-likelihood and Brier score are rounded to about three digits there."
        )
    return tuple(found)
