"""What a check of preprocessing found, in sentences."""

import yaml

from tasks.models.spec import Preprocessing
from tasks.parity.parity import Parity, Rival


def conclusion(parity: Parity) -> list[str]:
    """The verdict, how far the configured way is from the best, and what to write."""
    if not parity.n:
        return ["No labelled image was tried, so nothing is known."]
    base = f"As configured, {parity.base.right} of {parity.n} images are right."
    if not parity.rivals:
        return [base, "No variant could be tried."]
    if better := parity.better:
        return [base, _proven(better[0], parity), *_others(parity), *_remedy(better[0])]
    best = parity.rivals[0]
    if best.trial.right <= parity.base.right:
        return [base, f"None of {len(parity.rivals)} variants has more."]
    return [
        base,
        (
            f"The best of {len(parity.rivals)} variants ({best.trial.variant}) has "
            f"{best.trial.right}, {difference_text(best)}. After correction for how many were "
            f"tried that is no proof (p = {best.p:.2g}). More images may tell."
        ),
    ]


def difference_text(rival: Rival) -> str:
    """The difference in points with its interval."""
    difference = 100 * (rival.table.difference or 0.0)
    low, high = (100 * end for end in rival.interval)
    return f"{difference:+.1f} points ({low:+.1f} to {high:+.1f})"


def plan_words(words: Preprocessing) -> str:
    """The preprocessing as it is written in a plan, on one line."""
    said = words.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(said, default_flow_style=True, sort_keys=False, width=10_000)
    return f"preprocessing: {text.strip()}"


def _proven(best: Rival, parity: Parity) -> str:
    return (
        f"{best.trial.variant} has {best.trial.right}, {difference_text(best)}: proven better "
        f"after correction for {len(parity.rivals)} variants (p = {best.p:.2g}, McNemar and Holm)."
    )


def _others(parity: Parity) -> list[str]:
    others = [str(rival.trial.variant) for rival in parity.better[1:]]
    if not others:
        return []
    return [f"Proven better as well: {'; '.join(others)}."]


def _remedy(best: Rival) -> list[str]:
    variant = best.trial.variant
    decoder = f" and `runtime.decoder: {variant.decoder}`"
    needed = decoder if variant.factor in {"decoder", "together"} else ""
    return [f"Write `{plan_words(variant.preprocessing)}`{needed} if the model's author agrees."]
