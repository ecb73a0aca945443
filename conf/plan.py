"""The plan: what to evaluate, what to demand of it, and how to run. Unknown keys are errors."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from conf.gates import GateEntry, GatePreset, Name
from conf.locations import Located, LocatedWeights
from conf.runtime import RuntimePlan
from shards.order import OrderName
from shards.recipe import Verify
from shards.sources.source import SourceSpec
from tasks.gates.gate import Gate
from tasks.layout import PairName, SplitName
from tasks.metrics.spec import TOP_KS, ScoringSpec, SliceSpec
from tasks.models.labels import IgnoredOutputs, LabelEntry
from tasks.models.spec import ModelSpec
from tasks.night import Promotion
from tasks.retention.rules import Retention
from tasks.targets.overlay import OverlaySpec

T = TypeVar("T")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TargetsPlan(OverlaySpec):
    """Labels laid over those of the dataset: corrected ones, or several acceptable ones per key."""

    file: Located = Field(description=OverlaySpec.model_fields["file"].description)


class DatasetPlan(SourceSpec):
    """A dataset split and where its source lies."""

    name: Name
    split: Name
    location: Located = Field(description="File or folder; `package:NAME/PATH` for package files.")
    devkit: Located | None = Field(
        default=None, description="imagenet: the development kit, if not beside the images."
    )

    verify: Verify = Field(
        default="header",
        description="What an image must pass while building: `header`, or `decode` to the last "
        "pixel; what does not is skipped.",
    )
    order: OrderName = Field(
        default="source",
        description="`source`, or `stratified`: classes spread evenly, so that the first shards "
        "are a fair sample.",
    )
    order_seed: int = Field(default=0, description="stratified: another seed, another order.")
    targets: TargetsPlan | None = Field(
        default=None, description="Labels laid over those of the dataset; no shard changes."
    )
    slices: tuple[SliceSpec, ...] = Field(
        default=(), description="Groups of its samples that get figures of their own."
    )
    class_groups: dict[str, tuple[str, ...]] = Field(
        default={}, description="Name → class ids or unique names; each group is a slice."
    )
    train: Name | None = Field(
        default=None,
        description="The dataset of this plan that holds the images the models were trained on: "
        "it is searched for copies, and their accuracy on it is compared.",
    )

    @model_validator(mode="after")
    def _slices_fit(self) -> Self:
        ScoringSpec(slices=self.slices, class_groups=self.class_groups)
        return self

    @property
    def split_name(self) -> SplitName:
        return SplitName(self.name, self.split)


class ModelPlan(ModelSpec):
    """A model and the datasets that it is evaluated on."""

    weights: LocatedWeights | None = Field(
        default=None, description=ModelSpec.model_fields["weights"].description
    )
    targets: Located | None = Field(
        default=None, description=ModelSpec.model_fields["targets"].description
    )
    labels: Literal["dataset-order"] | IgnoredOutputs | tuple[LabelEntry, ...] | Located | None = (
        Field(
            default=None,
            union_mode="left_to_right",
            description=ModelSpec.model_fields["labels"].description,
        )
    )
    datasets: tuple[Name, ...] | None = Field(default=None, description="Default: all.")
    priority: int = Field(
        default=0, description="Models of a higher priority are evaluated before the others."
    )


class Plan(_Frozen):
    """One night's work: every model on every dataset it belongs to."""

    name: Name
    datasets: tuple[DatasetPlan, ...] = Field(min_length=1)
    models: tuple[ModelPlan, ...] = Field(
        default=(), description="May be left out where only shards are built and verified."
    )
    gates: tuple[GateEntry, ...] = ()
    top_k: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=TOP_KS, description="Top-k accuracy for these k; 1 and 5 are always given."
    )
    operating_points: tuple[Located, ...] = Field(
        default=(),
        description="Files of `nightmark operating-point --to`, checked again every night.",
    )
    promotion: Promotion = Field(
        default="automatic",
        description="automatic: a pair that passed a night becomes its own baseline; approval: "
        "once a person approves it in the Prefect UI; manual: only by `nightmark promote`.",
    )
    retention: Retention = Field(
        default=Retention(), description="What `nightmark prune` keeps under the artifact root."
    )
    runtime: RuntimePlan = RuntimePlan()

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        datasets = [dataset.name for dataset in self.datasets]
        models = [model.name for model in self.models]
        for kind, names in (("datasets", datasets), ("models", models)):
            if repeated := [name for name, count in Counter(names).items() if count > 1]:
                raise ValueError(f"{kind}: the name {repeated[0]!r} is used twice")
        for dataset in self.datasets:
            trained = (dataset.train,) if dataset.train else ()
            _refuse_unknown(f"dataset {dataset.name}: train", trained, datasets)
            if dataset.train == dataset.name:
                raise ValueError(f"dataset {dataset.name}: train must name another dataset")
        for model in self.models:
            _refuse_unknown(f"model {model.name}: dataset", model.datasets, datasets)
        for gate in self.gates:
            _refuse_unknown("gate: dataset", gate.datasets, datasets)
            _refuse_unknown("gate: model", gate.models, models)
        given = {f"top{k}" for k in (*TOP_KS, *self.top_k)}
        for gate in self.gates:
            if (
                isinstance(gate, Gate)
                and gate.metric.startswith("top")
                and gate.metric not in given
            ):
                raise ValueError(f"gate: {gate.metric} needs {gate.metric[3:]} in `top_k`")
        return self

    @model_validator(mode="after")
    def _antialias_is_heeded(self) -> Self:
        for model in self.models:
            given = model.preprocessing
            if given is not None and not given.antialias and self.runtime.decoder == "pil":
                raise ValueError(
                    f"model {model.name}: Pillow always smooths when it resizes, so "
                    f"`antialias: false` needs `runtime.decoder: torchvision`"
                )
        return self

    def pairs(self) -> Iterator[PairName]:
        """Every model on every dataset it belongs to, in the plan's order."""
        for dataset in self.datasets:
            for model in self.models:
                if model.datasets is None or dataset.name in model.datasets:
                    yield PairName(dataset.split_name, model.name)

    def training_first(self) -> tuple[DatasetPlan, ...]:
        """The datasets, those that others were trained on before the others."""
        trained = {dataset.train for dataset in self.datasets}
        return tuple(sorted(self.datasets, key=lambda dataset: dataset.name not in trained))

    def in_turn(self) -> tuple[PairName, ...]:
        """The pairs in the order in which a night works, so that a deadline cuts off the least.

        By the priority of their models; within it training sets first, then as the plan has them.
        """
        place = {dataset.split_name: n for n, dataset in enumerate(self.training_first())}
        priority = {model.name: model.priority for model in self.models}
        return tuple(
            sorted(self.pairs(), key=lambda pair: (-priority[pair.model], place[pair.split]))
        )

    def dataset(self, name: str) -> DatasetPlan:
        """Raises KeyError, with a sentence that lists the names there are."""
        return _by_name({entry.name: entry for entry in self.datasets}, name, "dataset")

    def model(self, name: str) -> ModelPlan:
        """Raises KeyError, with a sentence that lists the names there are."""
        return _by_name({entry.name: entry for entry in self.models}, name, "model")

    def gates_for(self, pair: PairName) -> tuple[Gate, ...]:
        """The gates that apply to a pair, presets spelled out."""
        spelled: list[Gate] = []
        for entry in self.gates:
            spelled.extend(entry.gates() if isinstance(entry, GatePreset) else (entry,))
        return tuple(g for g in spelled if g.applies_to(pair.split.dataset, pair.model))

    def scoring(self, dataset: str) -> ScoringSpec:
        """What is to be computed of every pair of a dataset. Raises KeyError."""
        entry = self.dataset(dataset)
        return ScoringSpec(top_k=self.top_k, slices=entry.slices, class_groups=entry.class_groups)

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the plan as it was understood."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def _refuse_unknown(what: str, wanted: tuple[str, ...] | None, known: list[str]) -> None:
    for name in wanted or ():
        if name not in known:
            raise ValueError(f"{what} {name!r} is not in the plan; {_there_are(known)}")


def _by_name(entries: Mapping[str, T], name: str, kind: str) -> T:
    if name not in entries:
        raise KeyError(f"there is no {kind} {name!r} in the plan; {_there_are(entries)}")
    return entries[name]


def _there_are(names: Iterable[str]) -> str:
    return f"there are: {', '.join(names) or 'none'}"
