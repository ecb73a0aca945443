"""Where everything lies under the artifact root. No other module composes such a path."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

NIGHTS = "nights"
NIGHT = "night.json"
HISTORY_PAGE = f"{NIGHTS}/index.html"
NIGHT_TIME = "%Y%m%dt%H%M%Sz"
COPIES = "copies"
DECISIONS = "decisions"
LEASES = "leases"
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

    @property
    def decisions(self) -> str:
        """The folder of all decisions about this pair."""
        return f"{DECISIONS}/{self}"

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


def lease(name: str) -> str:
    return f"{LEASES}/{name}.json"


def night_name(started: datetime, night: str) -> str:
    """``<UTC time>-<id>``: sorts by time. ``started`` is in UTC."""
    return f"{started.strftime(NIGHT_TIME)}-{night}"


def night_started(name: str) -> datetime:
    """When the night of this name began, in UTC. Raises ValueError if it is no such name."""
    return datetime.strptime(name.partition("-")[0], NIGHT_TIME).replace(tzinfo=UTC)


def decision_name(time: datetime, decision: str) -> str:
    """As ``night_name``; ``time`` is in UTC."""
    return night_name(time, decision)


def night_folder(name: str) -> str:
    return f"{NIGHTS}/{name}"


def night_metrics(name: str) -> str:
    """The table of all metrics of a night, which trends read."""
    return f"{night_folder(name)}/metrics.parquet"


def night_report(pair: PairName) -> str:
    """The evaluation page of a pair, relative to its night's folder."""
    return f"{pair}/report.html"


def shard_file(digest: str) -> str:
    """The file of one shard's predictions or scores."""
    return f"{digest}.parquet"


def watched_model(plan: str, model: str) -> str:
    """What is remembered of a model's files between two looks at them."""
    return f"watched/{plan}/{model}.json"


def is_name(name: str) -> bool:
    """Whether a dataset, a split or a model may be called so."""
    return NAME_PATTERN.fullmatch(name) is not None


def _check(name: str) -> None:
    if not is_name(name):
        raise ValueError(f"{name!r} is no name: it must match {NAME_PATTERN.pattern}")
