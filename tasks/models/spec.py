"""What a model is, before it is loaded. No torch here: plans and fingerprints must stay cheap."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.models.digests import facts_sha256
from tasks.models.labels import DATASET_ORDER, IgnoredOutputs, LabelEntry
from tasks.weights.address import Weights

ENGINE_REVISION = 2
"""Raise it by hand when the engine's numbers move; a golden test fails until you do."""

Output = Literal["logits", "probabilities", "log_probabilities"]
DecoderName = Literal["pil", "torchvision", "nvjpeg"]
Interpolation = Literal["nearest", "bilinear", "bicubic"]
Triple = tuple[float, float, float]
Positive = Annotated[int, Field(ge=1)]
IMPORTED = "imported"
FACTORIES = ("torchvision", "timm", "module")
"""Loaders that build a network and fill it with weights: ``KIND:TARGET``."""
ARCHIVES = ("torchscript", "export", "onnx", "transformers")
"""Loaders of a file or folder that holds the network too: ``KIND:PATH``, or with ``weights``."""
LOADER_PATTERN = f"^(({'|'.join(FACTORIES)}):.+|({'|'.join(ARCHIVES)})(:.+)?|{IMPORTED})$"
Setting = str | int | float | bool | None


class Preprocessing(BaseModel):
    """From a decoded RGB image to the model's input: resize, centre crop, (x/divisor − mean)/std.

    The words are those of timm's ``data/config.py``; sizes are pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    resize: Positive | tuple[Positive, Positive] | None = Field(
        default=None,
        description="Length of the shorter side, or [height, width]; none: as it is.",
    )
    crop: Positive | tuple[Positive, Positive] | None = Field(
        default=None, description="Side of the centre crop, or [height, width], or none."
    )
    interpolation: Interpolation = "bilinear"
    antialias: bool = True
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    fit: Literal["shorter", "longer"] = Field(
        default="shorter",
        description="The side that `resize` sets; `longer`: what lacks to `crop` is the mean.",
    )
    channels: Literal["rgb", "bgr"] = Field(
        default="rgb", description="Order of the channels, in which mean and std count too."
    )
    divisor: Annotated[float, Field(gt=0)] = Field(
        default=255.0, description="What pixels of 0 to 255 are divided by; 1: as they are."
    )

    @model_validator(mode="after")
    def _longer_side_is_one_number(self) -> "Preprocessing":
        if self.fit == "longer" and not (isinstance(self.resize, int) and self.crop is not None):
            raise ValueError("`fit: longer` needs `resize`, one number, and `crop`")
        return self

    def facts(self) -> dict[str, Any]:
        """For the fingerprint. What was not there at first stays away at its default, so that
        fingerprints of years past hold.
        """
        facts = self.model_dump()
        fields = type(self).model_fields
        added = ("fit", "channels", "divisor")
        return {k: v for k, v in facts.items() if k not in added or v != fields[k].default}

    def __str__(self) -> str:
        resized = "as is" if self.resize is None else f"resize {self.resize} {self.interpolation}"
        longer = " by the longer side" if self.fit == "longer" else ""
        crop = "" if self.crop is None else f", centre crop {self.crop}"
        plain = "" if self.antialias else ", no antialias"
        order = "" if self.channels == "rgb" else ", BGR"
        scale = "" if self.divisor == 255 else f", x/{self.divisor:.6g}"
        mean, std = (" ".join(f"{x:.4g}" for x in triple) for triple in (self.mean, self.std))
        return f"{resized}{longer}{crop}{plain}{order}{scale}, mean {mean}, std {std}"


class ModelSpec(BaseModel):
    """Which network to build, which weights to put into it, and how to feed it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    loader: Annotated[str, Field(pattern=LOADER_PATTERN)] = Field(
        description="`torchvision:ARCHITECTURE[/WEIGHTS]`, `timm:ARCHITECTURE`, "
        "`module:PACKAGE.MODULE:FACTORY`, `torchscript:FILE`, `export:FILE.pt2`, `onnx:FILE`, "
        "`transformers:FOLDER`, or `imported` for predictions computed elsewhere."
    )
    weights: Weights | None = Field(
        default=None,
        description="Safetensors, or a state dict that torch loads with weights_only; "
        "timm: or a folder with config.json; torchscript, export, onnx, transformers: the file or "
        "folder, if it does not stand in `loader`; "
        "imported: the scores, npy [n, classes] in the dataset's order or Parquet (key, scores). "
        "A path, `s3://BUCKET/FILE` or another URL, `hf://ORG/NAME@REVISION/FILE`, or "
        "`models:/NAME@ALIAS/FILE` of an MLflow registry.",
    )
    trusted: bool = Field(
        default=False,
        description="export: the file is yours, and may run code when it is loaded.",
    )
    labels: Literal["dataset-order"] | IgnoredOutputs | tuple[LabelEntry, ...] | Path | None = (
        Field(
            default=None,
            union_mode="left_to_right",
            description="Which class each output means: class ids or names in the order of the "
            "outputs (null: none), a file of them, `ignore: [0]` (the others are in the dataset's "
            "order), or `dataset-order`, whatever names the model carries.",
        )
    )
    targets: Path | None = Field(
        default=None,
        description="imported: npy of the labels that the scores belong to, compared with the "
        "dataset's before anything is imported.",
    )
    key_order: Literal["names", "positional"] = Field(
        default="names",
        description="How weights find their parameters: by name, or one by one in order, "
        "all shapes equal (for checkpoints of another implementation).",
    )
    arguments: Mapping[str, Setting] = Field(
        default_factory=dict, description="Arguments of the factory."
    )
    preprocessing: Preprocessing | None = Field(
        default=None, description="Taken from the weights where they carry it."
    )
    output: Output = Field(default="logits", description="What the model returns per class.")
    revision: str = Field(default="", description="Set by hand when code of your own changes.")

    @model_validator(mode="before")
    @classmethod
    def _path_out_of_the_loader(cls, given: Any) -> Any:
        """``onnx:FILE`` is the loader ``onnx`` with these weights: a path is no identity."""
        if not isinstance(given, dict) or not isinstance(given.get("loader"), str):
            return given
        kind, _, path = given["loader"].partition(":")
        if kind not in ARCHIVES or not path:
            return given
        if given.get("weights") is not None:
            raise ValueError(f"{given['loader']} names a file; leave `weights` out")
        return {**given, "loader": kind, "weights": path}

    @property
    def kind(self) -> str:
        """Which loader: the part of ``loader`` before the colon."""
        return self.loader.partition(":")[0]

    @property
    def target(self) -> str:
        """The part of ``loader`` behind the colon."""
        return self.loader.partition(":")[2]


class Numerics(BaseModel):
    """Everything besides model and image that may move a prediction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: Literal["float32", "bfloat16", "float16"]
    decoder: DecoderName
    device_type: Literal["cpu", "cuda"]
    engine_revision: int = ENGINE_REVISION
    compile: bool = Field(
        default=False, description="The network is compiled, which moves floats in the last digits."
    )

    def canonical_json(self) -> str:
        """For identities. What was not there at first stays away at its default, so that results
        of years past keep their names.
        """
        return self.model_dump_json(exclude=None if self.compile else {"compile"})


class ResolvedModel(BaseModel):
    """A spec whose preprocessing and weights are known: ready to be loaded anywhere.

    Attributes:
        more_files: what the weights cannot be loaded without, hashed with them.
        labels: what each output means, where the plan or the weights say it; null = ignored.
        classes: of the dataset that the model is bound to (``tasks.models.labels.bind``).
        columns: the class index of each output there; null = ignored; None = in this order.
        origin: where the files were fetched from and at which revision; empty: they are local.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: ModelSpec
    preprocessing: Preprocessing
    weights_file: Path
    weights_sha256: str
    more_files: tuple[Path, ...] = ()
    labels: tuple[LabelEntry, ...] | None = None
    classes: int | None = None
    columns: tuple[int | None, ...] | None = None
    origin: str = ""

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def is_imported(self) -> bool:
        """Whether its predictions were computed elsewhere, and there is nothing to load."""
        return self.spec.loader == IMPORTED

    @property
    def files(self) -> tuple[Path, ...]:
        """All that ``weights_sha256`` covers."""
        return (self.weights_file, *self.more_files)

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of all that defines the model version; where the weights lie does not."""
        facts: dict[str, Any] = {
            "weights": self.weights_sha256,
            "loader": self.spec.loader,
            "arguments": dict(self.spec.arguments),
            "key_order": self.spec.key_order,
            "preprocessing": self.preprocessing.facts(),
            "output": self.spec.output,
            "revision": self.spec.revision,
        }
        if self.labels is not None:
            facts["labels"] = self.labels
        if isinstance(self.spec.labels, IgnoredOutputs):
            facts["ignored"] = sorted(self.spec.labels.ignore)
        if self.spec.labels == DATASET_ORDER:
            facts["labels"] = DATASET_ORDER
        return facts_sha256(facts)


def run_name(model: ResolvedModel, numerics: Numerics) -> str:
    """Names the predictions of a model version under given numerics; starts with a letter.

    Where a label map moves outputs, also which class each became: the class list that it was laid
    over is not in a shard's bytes.
    """
    moved = [] if model.columns is None else [model.classes, model.columns]
    return (
        "r" + facts_sha256([model.fingerprint, json.loads(numerics.canonical_json()), *moved])[:16]
    )
