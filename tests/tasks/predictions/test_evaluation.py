from pathlib import Path

import pytest

from shards.errors import ShardError
from shards.reader import ShardedSplit
from shards.store import Store
from tasks.layout import PairName, SplitName
from tasks.models.spec import ModelSpec, Numerics, Preprocessing, ResolvedModel, run_name
from tasks.predictions.evaluation import Evaluation, compose_evaluation
from tasks.predictions.store import PredictionStore
from tests.shards.made import FOLDER, build, made_source

EXACT = Numerics(precision="float32", decoder="pil", device_type="cpu")


def split_at(folder: Path, samples_per_shard: int = 3) -> ShardedSplit:
    store = Store.at(folder)
    build(made_source(), store, samples_per_shard=samples_per_shard)
    return ShardedSplit.open(store, FOLDER)


def resolved(name: str = "m", weights: str = "a" * 64) -> ResolvedModel:
    spec = ModelSpec(name=name, loader="timm:resnet18")
    return ResolvedModel(
        spec=spec, preprocessing=Preprocessing(), weights_file=Path("w"), weights_sha256=weights
    )


def composed(
    split: ShardedSplit, model: ResolvedModel | None = None, numerics: Numerics = EXACT
) -> Evaluation:
    found = model or resolved()
    pair = PairName(SplitName("made", "test"), found.name)
    run = run_name(found, numerics)
    predictions = PredictionStore(split.store, pair, run, keep_scores=False)
    return compose_evaluation(split, found, numerics, predictions)


def test_it_says_what_it_is_made_of(tmp_path: Path) -> None:
    split = split_at(tmp_path)
    evaluation = composed(split)
    run = run_name(resolved(), EXACT)
    assert evaluation.predictions == tuple(
        f"predictions/dataset=made/split=test/model=m/run={run}/{entry.sha256}.parquet"
        for entry in split.manifest.shardlist
    )
    assert evaluation.run == run
    assert evaluation.dataset_version == split.version
    assert evaluation.images_digest == split.manifest.digests.images
    assert evaluation.targets_digest == split.manifest.digests.targets
    assert evaluation.model_fingerprint == resolved().fingerprint
    assert evaluation.numerics == EXACT


def test_place_and_time_do_not_matter(tmp_path: Path) -> None:
    one, other = (composed(split_at(tmp_path / name)) for name in ("a", "b"))
    assert one.to_json() == other.to_json()


def test_the_id_follows_dataset_model_and_numerics(tmp_path: Path) -> None:
    split = split_at(tmp_path / "a")
    lower = EXACT.model_copy(update={"precision": "bfloat16"})
    found = [
        composed(split),
        composed(split_at(tmp_path / "b", samples_per_shard=4)),
        composed(split, resolved(weights="b" * 64)),
        composed(split, numerics=lower),
    ]
    assert len({evaluation.id for evaluation in found}) == 4
    assert all(evaluation.id.startswith("e") for evaluation in found)


def test_resharding_keeps_the_images_digest(tmp_path: Path) -> None:
    one, other = (composed(split_at(tmp_path / str(n), samples_per_shard=n)) for n in (3, 4))
    assert one.images_digest == other.images_digest
    assert one.targets_digest == other.targets_digest


def test_it_survives_its_file(tmp_path: Path) -> None:
    evaluation = composed(split_at(tmp_path))
    assert Evaluation.from_json(evaluation.to_json(), "e.json") == evaluation


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"schema_version": 1', b'"schema_version": 2'),
        (b"nightmark.evaluation", b"nightmark.night"),
        (b'"run"', b'"rum"'),
        (b"{", b""),
    ],
)
def test_another_record_is_refused(tmp_path: Path, old: bytes, new: bytes) -> None:
    raw = composed(split_at(tmp_path)).to_json()
    with pytest.raises(ShardError, match=r"e\.json is no Evaluation of this version .*remove"):
        Evaluation.from_json(raw.replace(old, new, 1), "e.json")
