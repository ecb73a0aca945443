"""Where everything lies under the artifact root. No other module composes such a path."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

NIGHTS = "nights"
NIGHT = "night.json"
SCORING = "metrics.json"
HISTORY_PAGE = f"{NIGHTS}/index.html"
NIGHT_TIME = "%Y%m%dt%H%M%Sz"
COPIES = "copies"
DECISIONS = "decisions"
LEASES = "leases"
PRUNES = "prunes"
WATCHED = "watched"
PieceKind = Literal[
    "night",
    "evaluation",
    "scoring",
    "comparison",
    "predictions",
    "scores",
    "targets",
    "shards",
    "copies",
    "signatures",
    "weights",
    "lease",
]
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class SplitName:
    """A dataset and one of its splits."""

    dataset: str
    split: str

    def __post_init__(self) -> None:
        for name in (self.dataset, self.split):
            _check(name)

    def __str__(self) -> str:
        return f"{self.dataset}/{self.split}"

    def shards(self, recipe: str) -> str:
        return f"shards/{self}/{recipe}"

    def targets(self, digest: str) -> str:
        """The overlay of targets with this digest."""
        return f"targets/{self}/{digest}.parquet"


@dataclass(frozen=True, slots=True)
class PairName:
    """A model on a split: what is evaluated."""

    split: SplitName
    model: str

    def __post_init__(self) -> None:
        _check(self.model)

    def __str__(self) -> str:
        return f"{self.split}/{self.model}"

    def predictions(self, run: str) -> str:
        return f"predictions/{self._partitions(run)}"

    def scores(self, run: str) -> str:
        return f"scores/{self._partitions(run)}"

    def evaluation(self, evaluation: str) -> str:
        return f"evaluations/{self}/{evaluation}.json"

    def scoring(self, scoring: str) -> str:
        return f"scorings/{self}/{scoring}"

    def metrics(self, scoring: str) -> str:
        """The record of a scoring."""
        return f"{self.scoring(scoring)}/{SCORING}"

    @property
    def decisions(self) -> str:
        """The folder of all decisions about this pair."""
        return f"{DECISIONS}/{self}"

    def curves(self, scoring: str) -> str:
        """Precision-recall and ROC curves of the classes of a scoring."""
        return f"{self.scoring(scoring)}/curves.parquet"

    def decision(self, decision: str) -> str:
        return f"{self.decisions}/{decision}.json"

    def comparison(self, comparison: str) -> str:
        """Of this pair, the candidate, with a baseline."""
        return f"comparisons/{self}/{comparison}"

    def _partitions(self, run: str) -> str:
        return f"dataset={self.split.dataset}/split={self.split.split}/model={self.model}/run={run}"


def signature_file(revision: int, shard: str) -> str:
    """The signatures of the images of a shard, named by its digest, in any dataset."""
    return f"{signature_folder(revision)}/{shard_file(shard)}"


def signature_folder(revision: int) -> str:
    return f"signatures/s{revision}"


def copies_folder(copies: str = "") -> str:
    """The record of copies between two splits; without its id the folder of all of them."""
    return f"{COPIES}/{copies}".rstrip("/")


def probe(name: str) -> str:
    """The folder of a file that is written to see whether it can be, and removed at once."""
    return f"probes/{name}"


def lease(name: str) -> str:
    return f"{LEASES}/{name}.json"


def night_name(started: datetime, night: str) -> str:
    """``<UTC time>-<id>``: sorts by time. ``started`` is in UTC."""
    return f"{started.strftime(NIGHT_TIME)}-{night}"


def night_started(name: str) -> datetime:
    """When the night of this name began, in UTC. Raises ValueError if it is no such name."""
    return datetime.strptime(name.partition("-")[0], NIGHT_TIME).replace(tzinfo=UTC)


def is_night_name(name: str) -> bool:
    """Whether a folder of this name can be a night's."""
    try:
        night_started(name)
    except ValueError:
        return False
    return True


def decision_name(time: datetime, decision: str) -> str:
    """As ``night_name``; ``time`` is in UTC."""
    return night_name(time, decision)


def prune_folder(name: str) -> str:
    return f"{PRUNES}/{name}"


def night_folder(name: str) -> str:
    return f"{NIGHTS}/{name}"


def night_metrics(name: str) -> str:
    """The table of all metrics of a night, which trends read."""
    return f"{night_folder(name)}/metrics.parquet"


def night_report(pair: PairName) -> str:
    """The evaluation page of a pair, relative to its night's folder."""
    return f"{pair}/report.html"


def night_pictures(split: SplitName) -> str:
    """The images of a split that a night shows, relative to its folder; no model is called so."""
    return f"{split}/_images"


def shard_file(digest: str) -> str:
    """The file of one shard's predictions or scores."""
    return f"{digest}.parquet"


def watched_model(plan: str, model: str) -> str:
    """What is remembered of a model's files between two looks at them."""
    return f"{WATCHED}/{plan}/{model}.json"


def fetched_weights(model: str, version: str) -> str:
    """The folder of one version of weights that were fetched from elsewhere."""
    return f"weights/{model}/{version}"


def is_name(name: str) -> bool:
    """Whether a dataset, a split or a model may be called so."""
    return NAME_PATTERN.fullmatch(name) is not None


def _check(name: str) -> None:
    if not is_name(name):
        raise ValueError(f"{name!r} is no name: it must match {NAME_PATTERN.pattern}")


@dataclass(frozen=True, slots=True)
class Place:
    """The file or folder that a stored file belongs to: what is kept or removed as a whole.

    Attributes:
        path: of the file, or of the folder.
        name: of a night, shards (the recipe), an evaluation, a scoring, a comparison, copies.
        split: which one it is of; none for what belongs to all.
        model: where it is of a model.
    """

    kind: PieceKind
    path: str
    name: str
    split: SplitName | None = None
    model: str = ""

    @property
    def pair(self) -> PairName:
        """Raises ValueError if it is of no model."""
        if self.split is None:
            raise ValueError(f"{self.path} is of no pair")
        return PairName(self.split, self.model)


def place_of(file: str) -> Place | None:
    """Where a file under the root belongs.

    None for decisions and the records of prunes, which stay for ever, and for foreign files.
    """
    for kind, pattern in _PLACES.items():
        if matched := pattern.fullmatch(file):
            named = matched.groupdict(default="")
            split = SplitName(named["dataset"], named["split"]) if "split" in named else None
            return Place(kind, named["path"], named["name"], split, named.get("model", ""))
    return None


_NAME = NAME_PATTERN.pattern
_SPLIT = f"(?P<dataset>{_NAME})/(?P<split>{_NAME})"
_PAIR = f"{_SPLIT}/(?P<model>{_NAME})"
_PARTITIONS = (
    f"dataset=(?P<dataset>{_NAME})/split=(?P<split>{_NAME})/model=(?P<model>{_NAME})/run={_NAME}"
)
_FOLDER, _FILE = f"(?P<name>{_NAME})", r"(?P<name>[a-z0-9][a-z0-9_-]*)"
_PLACES: dict[PieceKind, re.Pattern[str]] = {
    "night": re.compile(rf"(?P<path>{NIGHTS}/(?P<name>\d{{8}}t\d{{6}}z-{_NAME}))/.+"),
    "evaluation": re.compile(rf"(?P<path>evaluations/{_PAIR}/{_FILE}\.json)"),
    "scoring": re.compile(f"(?P<path>scorings/{_PAIR}/{_FOLDER})/.+"),
    "comparison": re.compile(f"(?P<path>comparisons/{_PAIR}/{_FOLDER})/.+"),
    "predictions": re.compile(rf"(?P<path>predictions/{_PARTITIONS}/{_FILE}\.parquet)"),
    "scores": re.compile(rf"(?P<path>scores/{_PARTITIONS}/{_FILE}\.parquet)"),
    "targets": re.compile(rf"(?P<path>targets/{_SPLIT}/{_FILE}\.parquet)"),
    "shards": re.compile(f"(?P<path>shards/{_SPLIT}/{_FOLDER})/.+"),
    "copies": re.compile(f"(?P<path>{COPIES}/{_FOLDER})/.+"),
    "signatures": re.compile(rf"(?P<path>signatures/s\d+/{_FILE}\.parquet)"),
    "weights": re.compile(f"(?P<path>weights/{_NAME}/{_FOLDER})/.+"),
    "lease": re.compile(rf"(?P<path>{LEASES}/{_FILE}\.json)"),
}
