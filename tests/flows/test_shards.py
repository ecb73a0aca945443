"""``nightmark shard``, ``verify``, ``inspect``, and the flow that builds shards."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from conf.plan import DatasetPlan
from conf.runtime import RuntimePlan
from flows import moving
from flows.build_shards import build_shards
from shards.manifest import MANIFEST_NAME
from shards.reader import ShardedSplit
from shards.store import Store
from tasks.progress import Advance, Outline, listening

Command = Callable[..., int]
PLAN = """
name: pets
datasets:
  - {name: pets, split: test, source: folder, location: images}
runtime: {samples_per_shard: 4, shards_per_task: 1}
"""


def image(seed: int) -> bytes:
    sink = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(sink, "PNG")
    return sink.getvalue()


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plan over twelve images of two classes, and two that are none."""
    for number in range(12):
        path = tmp_path / "images" / ("ant" if number < 8 else "bee") / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image(number))
    for name in ("x", "y"):
        (tmp_path / f"images/bee/{name}.png").write_bytes(b"")
    (tmp_path / "plan.yaml").write_text(PLAN)
    monkeypatch.setenv("NIGHTMARK_ROOT", str(tmp_path / "root"))
    return tmp_path / "plan.yaml"


def dataset(plan: Path, **more: Any) -> DatasetPlan:
    location = plan.parent / "images"
    return DatasetPlan(name="pets", split="test", source="folder", location=location, **more)


def runtime(plan: Path, **more: Any) -> RuntimePlan:
    sizes = {"samples_per_shard": 4, "shards_per_task": 1, **more}
    return RuntimePlan(root=str(plan.parent / "root"), **sizes)


def artifacts(key: str) -> list[Any]:
    """The artifacts of that key, the oldest first."""

    async def read() -> list[Any]:
        async with get_client() as client:
            wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
            return await client.read_artifacts(
                artifact_filter=wanted, sort=ArtifactSort.UPDATED_DESC
            )

    return sorted(asyncio.run(read()), key=lambda artifact: artifact.created)


def table(key: str) -> dict[str, Any]:
    rows = json.loads(artifacts(key)[-1].data)
    return {row["what"]: row["figure"] for row in rows}


class Remembering:
    def __init__(self) -> None:
        self.outlines: list[Outline] = []
        self.advances: list[Advance] = []

    def begin(self, outline: Outline) -> None:
        self.outlines.append(outline)

    def advance(self, advance: Advance) -> None:
        self.advances.append(advance)


def test_a_build_ends_with_a_table_and_full_progress(
    plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[float] = []
    real = moving.update_progress_artifact

    def update(artifact: Any, progress: float, description: str) -> None:
        moved.append(progress)
        real(artifact, progress=progress, description=description)

    monkeypatch.setattr(moving, "update_progress_artifact", update)
    monkeypatch.setattr(moving, "UPDATE_SECONDS", 0.0)
    heard = Remembering()
    with listening(heard):
        folder = build_shards(dataset(plan), runtime(plan))
    split = ShardedSplit.open(Store.at(plan.parent / "root"), folder)
    assert sorted(moved) == moved
    assert moved == [25.0, 50.0, 75.0, 100.0]
    assert artifacts("building-pets-test")[-1].data == 100.0
    assert sum(advance.shards for advance in heard.advances) == 4
    assert [outline.shards for outline in heard.outlines] == [4]
    found = table("shards-pets-test")
    assert found.pop("seconds") > 0
    assert found == {
        "shards": 3,
        "built now": 4,
        "taken over from earlier builds": 0,
        "samples": 12,
        "unlabelled": 0,
        "entries of the source": 14,
        "skipped": 2,
        "skipped: zero bytes": 2,
        "bytes": sum(entry.filesize for entry in split.manifest.shardlist),
        "dataset version": split.version,
    }


def test_progress_moves_at_most_once_a_second_and_never_ends_a_build(
    plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[float] = []

    def update(artifact: Any, progress: float, description: str) -> None:
        assert description.startswith("shards pets/test: 14 of 14 shards")
        moved.append(progress)
        raise ConnectionError("the server is away")

    monkeypatch.setattr(moving, "update_progress_artifact", update)
    monkeypatch.setattr(moving, "UPDATE_SECONDS", 3600.0)
    folder = build_shards(dataset(plan), runtime(plan, samples_per_shard=1))
    assert moved == [100.0]
    assert (plan.parent / "root" / folder / MANIFEST_NAME).exists()


def test_a_rerun_builds_nothing_and_sweeps(plan: Path) -> None:
    first = build_shards(dataset(plan), runtime(plan))
    left = plan.parent / "root" / first / "parts" / "000000.parquet"
    left.parent.mkdir()
    left.write_bytes(b"of a second builder")
    assert build_shards(dataset(plan), runtime(plan)) == first
    assert not left.parent.exists()
    found = table("shards-pets-test")
    assert (found["built now"], found["taken over from earlier builds"]) == (0, 0)
    assert found["samples"] == 12


def test_a_grown_folder_takes_over_what_is_the_same(plan: Path) -> None:
    first = build_shards(dataset(plan), runtime(plan))
    (plan.parent / "images/bee/z.png").write_bytes(image(99))
    second = build_shards(dataset(plan), runtime(plan))
    assert second != first
    found = table("shards-pets-test")
    assert (found["taken over from earlier builds"], found["built now"]) == (3, 1)
    assert (found["samples"], found["skipped"]) == (13, 2)


def test_a_stratified_build_spreads_the_classes(plan: Path) -> None:
    for name in ("x", "y"):
        (plan.parent / f"images/bee/{name}.png").unlink()
    usual = build_shards(dataset(plan), runtime(plan, samples_per_shard=3))
    spread = build_shards(dataset(plan, order="stratified"), runtime(plan, samples_per_shard=3))
    other = build_shards(
        dataset(plan, order="stratified", order_seed=1), runtime(plan, samples_per_shard=3)
    )
    assert len({usual, spread, other}) == 3
    assert table("shards-pets-test")["taken over from earlier builds"] == 0
    splits = [ShardedSplit.open(Store.at(plan.parent / "root"), f) for f in (usual, spread, other)]
    bees = [[sum(shard.rows["target"].to_pylist()) for shard in s.shards()] for s in splits]
    assert bees == [[0, 0, 1, 3], [1, 1, 1, 1], [1, 1, 1, 1]]
    assert len({split.manifest.digests.images for split in splits}) == 1
    assert len({split.manifest.digests.layout for split in splits}) == 3


def test_shard_then_verify(
    plan: Path,
    nightmark: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert nightmark("verify", plan) == 3
    assert "holds no finished shards" in capsys.readouterr().err
    assert nightmark("shard", plan) == 0
    assert "skipped bee/x.png: zero bytes" in capsys.readouterr().out
    (manifest,) = (plan.parent / "root").glob(f"shards/**/{MANIFEST_NAME}")
    for target in (plan, manifest.parent):
        assert nightmark("verify", target) == 0
        printed = " ".join(capsys.readouterr().out.split())
        assert "pets/test: 12 samples in 3 shards" in printed
        assert "verify pets/test: 3 of 3 shards" in printed
    monkeypatch.chdir(manifest.parent / "..")
    assert nightmark("verify", manifest.parent.name) == 0
    monkeypatch.chdir(manifest.parent.name)
    assert nightmark("verify", ".") == 0
    assert nightmark("verify", "..") == 3
    assert "holds no finished shards" in capsys.readouterr().err
    tar = manifest.with_name("pets-test-000001.tar")
    tar.write_bytes(tar.read_bytes().replace(b"IDAT", b"JDAT", 1))
    assert nightmark("verify", plan, "--dataset", "pets") == 3
    error = " ".join(capsys.readouterr().err.split())
    assert "pets-test-000001.tar, key 04: the image was altered" in error


def test_verify_with_words_that_do_not_fit(
    plan: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert nightmark("verify", plan, "--dataset", "cats") == 2
    assert "no dataset 'cats' in the plan" in capsys.readouterr().err
    assert nightmark("verify", plan.parent, "--dataset", "pets") == 2
    assert "is no plan; --dataset and --set choose" in capsys.readouterr().err
    assert nightmark("verify", plan.parent / "images") == 3
    assert "holds no finished shards" in capsys.readouterr().err


def test_shard_with_a_decode_check(
    plan: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = plan.parent / "images/ant/00.png"
    cut.write_bytes(cut.read_bytes()[:-200])
    assert nightmark("shard", plan) == 0
    assert "12 samples" in capsys.readouterr().out
    assert nightmark("shard", plan, "--verify", "decode") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "11 samples" in printed
    assert "skipped ant/00.png: does not decode: " in printed
    assert nightmark("shard", plan, "--verify", "everything") == 2
    assert "--verify everything: allowed are header, decode" in capsys.readouterr().err


def test_inspect(plan: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert nightmark("inspect", plan.parent / "images") == 0
    printed = capsys.readouterr().out
    assert "classes: 2 of 2 present" in printed
    assert "  - name: images\n    split: test\n    source: folder\n" in printed
    assert nightmark("inspect", plan) == 2
    assert "nothing here is recognised; looked for" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("night",),
        ("evaluate", "--dataset", "pets", "--model", "deep"),
        ("gate-backtest",),
        ("rescore",),
    ],
)
def test_what_needs_models_says_so(
    plan: Path, nightmark: Command, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    command, *options = words
    assert nightmark(command, str(plan), *options) == 2
    assert "has no models, so there is nothing to evaluate" in capsys.readouterr().err
