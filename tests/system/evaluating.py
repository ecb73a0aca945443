"""An evaluation long enough to be disturbed, and what it leaves on disk."""

from pathlib import Path

PLAN = Path(__file__).parents[1] / "plans" / "shared.yaml"
WORDS = (
    *("evaluate", PLAN, "--dataset", "cifar10", "--model", "resnet20"),
    *("--set", "runtime.samples_per_shard=500", "--set", "runtime.shards_per_task=2"),
)
SHARDS = 20
RESULTS = ("predictions", "scores", "evaluations", "scorings")


def predictions(root: Path) -> list[Path]:
    return sorted(root.glob("predictions/**/*.parquet"))


def results(root: Path) -> dict[Path, bytes]:
    """Every file that a reader may take for a result, by its place under the root."""
    files = [path for folder in RESULTS for path in root.glob(f"{folder}/**/*") if path.is_file()]
    return {path.relative_to(root): path.read_bytes() for path in files}
