"""The preprocessing of a model, and what somebody may have meant instead: one change at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from tasks.models.spec import DecoderName, Interpolation, Preprocessing, Triple

USUAL_CROP_SHARES = (0.875, 0.95, 1.0)
"""Crop over resized side: the habit of most ImageNet networks, of newer ones, and no margin."""


@dataclass(frozen=True)
class Levels:
    """How grey levels become the input of a network."""

    name: str
    mean: Triple
    std: Triple
    divisor: float = 255.0

    def applied_to(self, words: Preprocessing) -> Preprocessing:
        update = {"mean": self.mean, "std": self.std, "divisor": self.divisor}
        return words.model_copy(update=update)


USUAL_LEVELS = (
    Levels("ImageNet mean and std", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    Levels("mean and std 0.5", (0.5,) * 3, (0.5,) * 3),
    Levels("(x - 127) / 128", (127.0,) * 3, (128.0,) * 3, divisor=1.0),
    Levels("0 to 1", (0.0,) * 3, (1.0,) * 3),
    Levels("0 to 255", (0.0,) * 3, (1.0,) * 3, divisor=1.0),
)
NEAR = 1e-3
"""Levels that differ by less are the same: (127/255, 128/255) is (x - 127) / 128."""


@dataclass(frozen=True)
class Variant:
    """A way to feed a model.

    Attributes:
        factor: what was changed; empty for the configured way.
        name: what it was changed to.
    """

    factor: str
    name: str
    preprocessing: Preprocessing
    decoder: DecoderName

    def __str__(self) -> str:
        return f"{self.factor}: {self.name}" if self.factor else self.name


def configured(preprocessing: Preprocessing, decoder: DecoderName) -> Variant:
    """The way that the plan says."""
    return Variant("", "as configured", preprocessing, decoder)


def single_changes(base: Variant) -> list[Variant]:
    """Every variant that differs from ``base`` in one factor."""
    return [*_levels(base), *_channels(base), *_geometry(base), *_filters(base), *_decoders(base)]


def combined(base: Variant, helpful: Sequence[Variant]) -> Variant:
    """All of these changes at once; each is of another factor."""
    update: dict[str, object] = {}
    decoder = base.decoder
    for variant in helpful:
        words = Preprocessing.model_fields
        update |= {
            word: getattr(variant.preprocessing, word)
            for word in words
            if getattr(variant.preprocessing, word) != getattr(base.preprocessing, word)
        }
        decoder = variant.decoder if variant.decoder != base.decoder else decoder
    names = ", ".join(variant.name for variant in helpful)
    return Variant("together", names, base.preprocessing.model_copy(update=update), decoder)


def _changed(base: Variant, factor: str, name: str, **update: object) -> Variant:
    words = base.preprocessing.model_copy(update=update)
    return replace(base, factor=factor, name=name, preprocessing=words)


def _levels(base: Variant) -> Iterator[Variant]:
    for levels in USUAL_LEVELS:
        words = levels.applied_to(base.preprocessing)
        if not _alike(words, base.preprocessing):
            yield replace(base, factor="levels", name=levels.name, preprocessing=words)


def _alike(one: Preprocessing, other: Preprocessing) -> bool:
    """Whether black and white become the same in both, to within ``NEAR``."""
    return all(
        abs((level / one.divisor - m) / s - (level / other.divisor - n) / t) < NEAR * 255 / 100
        for level in (0, 255)
        for m, s, n, t in zip(one.mean, one.std, other.mean, other.std, strict=True)
    )


def _channels(base: Variant) -> Iterator[Variant]:
    turned = "bgr" if base.preprocessing.channels == "rgb" else "rgb"
    yield _changed(base, "channels", turned.upper(), channels=turned)


def _geometry(base: Variant) -> Iterator[Variant]:
    """Other margins around the same input size; none where images are taken as they are."""
    words = base.preprocessing
    target = words.crop if words.crop is not None else words.resize
    if words.resize is None or target is None or (words.crop is None and isinstance(target, int)):
        return
    sides = (target, target) if isinstance(target, int) else target
    if words.resize != sides:
        yield _changed(base, "geometry", "squash", resize=sides, crop=None, fit="shorter")
    if sides[0] != sides[1]:
        return
    crop = sides[0]
    sizes = {int(crop / share): None for share in USUAL_CROP_SHARES}
    for size in sizes:
        if (words.resize, words.crop, words.fit) == (size, crop, "shorter"):
            continue
        name = f"resize {size}, crop {crop}"
        yield _changed(base, "geometry", name, resize=size, crop=crop, fit="shorter")


def _filters(base: Variant) -> Iterator[Variant]:
    if base.preprocessing.resize is None:
        return
    for name in get_args(Interpolation):
        if name != base.preprocessing.interpolation:
            yield _changed(base, "interpolation", name, interpolation=name)


def _decoders(base: Variant) -> Iterator[Variant]:
    """The other decoder. Pillow always smooths, so a lack of it comes with torchvision's."""
    words = base.preprocessing
    other: DecoderName = "torchvision" if base.decoder == "pil" else "pil"
    if words.antialias:
        yield replace(base, factor="decoder", name=other, decoder=other)
    if words.resize is None:
        return
    if words.antialias:
        rough = words.model_copy(update={"antialias": False})
        yield Variant("decoder", "torchvision, no antialias", rough, "torchvision")
    else:
        smooth = words.model_copy(update={"antialias": True})
        yield Variant("decoder", "antialias", smooth, base.decoder)
