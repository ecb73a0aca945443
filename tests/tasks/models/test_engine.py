import dataclasses
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from PIL import Image
from torch.nn import functional

from shards.errors import ModelError, ShardError
from shards.image import encode_png
from shards.reader import StoredSample
from tasks.models.engine import Engine, ShardPredictions
from tasks.models.load import load
from tasks.models.spec import ResolvedModel
from tasks.predictions.schema import SCHEMA
from tests.support.shared_data import needs_shared
from tests.tasks.models.cifar import EXACT, MEAN, STD, engine, faulty, first_images, resnet

FLOATS = ("target_prob", "nll", "sum_sq_prob")
GOLDEN_TOPK = [
    [3, 5, 6, 8, 2],
    [8, 1, 0, 9, 6],
    [8, 9, 0, 1, 2],
    [0, 8, 9, 2, 3],
    [6, 2, 3, 4, 1],
    [6, 3, 4, 9, 5],
    [1, 3, 9, 5, 6],
    [4, 6, 2, 3, 7],
]
GOLDEN_RANK = [0, 0, 0, 0, 0, 0, 0, 1]
GOLDEN_NLL = [1.8e-05, 0.0, 0.005963, 0.358176, 2e-06, 0.007345, 0.000198, 4.796565]
BUMP = "the engine's numbers moved: raise ENGINE_REVISION (tasks/models/spec.py) and pin the new"


def grey_image(key: int, level: int, image: bytes | None = None) -> StoredSample:
    pixels = np.full((4, 4, 3), level, dtype=np.uint8)
    return StoredSample(f"image_{key:02d}", key, image or encode_png(pixels), target=key % 10)


def three() -> list[StoredSample]:
    return [grey_image(key, 20 * (key + 1)) for key in range(3)]


def predict(model: ResolvedModel, samples: Any = None, classes: int = 10) -> ShardPredictions:
    made = Engine.load(model, EXACT, "cpu")
    return made.predict(three() if samples is None else samples, classes, 2, threads=1)


def told(model: ResolvedModel, classes: int = 10) -> str:
    with pytest.raises(ModelError) as refused:
        predict(model, classes=classes)
    return str(refused.value)


@cache
def plain_logits() -> torch.Tensor:
    """A plain loop over the first 200 images, with nothing of ours but the network."""
    network = load(resnet()).module
    assert network is not None
    found = []
    for sample in first_images(200):
        with Image.open(io.BytesIO(sample.image)) as opened:
            pixels = torch.from_numpy(np.asarray(opened.convert("RGB")).copy())
        image = pixels.permute(2, 0, 1).float() / 255
        image = (image - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        with torch.inference_mode():
            found.append(network(image[None])[0])
    return torch.stack(found)


@cache
def predicted(batch_size: int) -> ShardPredictions:
    return engine().predict(first_images(200), 10, batch_size, threads=2)


@needs_shared
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_predictions_are_those_of_a_plain_loop_at_any_batch_size(batch_size: int) -> None:
    rows = predicted(batch_size).predictions
    logits, targets = plain_logits(), torch.tensor([s.target for s in first_images(200)])
    assert rows.schema.equals(SCHEMA)
    assert rows["key"].to_pylist() == [sample.key for sample in first_images(200)]
    assert rows["index"].to_pylist() == list(range(200))
    assert rows["error"].null_count == 200
    topk = torch.tensor(rows["topk"].to_pylist())
    assert torch.equal(topk, logits.topk(5, dim=1).indices.int())
    ranks = (logits > logits.gather(1, targets[:, None])).sum(dim=1)
    assert rows["target_rank"].to_pylist() == ranks.tolist()
    logs = functional.log_softmax(logits.double(), dim=1)
    nll = -logs.gather(1, targets[:, None])[:, 0]
    np.testing.assert_allclose(rows["nll"], nll, atol=1e-4)
    np.testing.assert_allclose(rows["target_prob"], (-nll).exp(), atol=1e-4)
    np.testing.assert_allclose(rows["sum_sq_prob"], logs.exp().square().sum(1), atol=1e-4)
    np.testing.assert_allclose(
        rows["topk_prob"].to_pylist(), logs.exp().topk(5, dim=1).values, atol=1e-4
    )
    scores = predicted(batch_size).scores
    assert scores is not None
    assert scores["key"].equals(rows["key"])
    np.testing.assert_allclose(scores["probabilities"].to_pylist(), logs.exp(), atol=1e-4)


@needs_shared
def test_batches_change_no_count_and_hardly_a_float() -> None:
    one = predicted(1).predictions
    for size in (7, 64):
        other = predicted(size).predictions
        whole = [name for name in SCHEMA.names if name not in (*FLOATS, "topk_prob")]
        assert other.select(whole).equals(one.select(whole))
        for name in FLOATS:
            np.testing.assert_allclose(other[name], one[name], atol=1e-4)


@needs_shared
def test_the_reference_count_of_the_first_thousand() -> None:
    rows = engine().predict(first_images(1000), 10, 64, threads=2).predictions
    ranks = rows["target_rank"].to_numpy()
    assert ((ranks == 0).sum(), (ranks < 5).sum()) == (808, 990)
    assert pc.mean(rows["nll"]).as_py() == pytest.approx(0.795589, abs=1e-4)


@needs_shared
def test_golden() -> None:
    rows = engine().predict(first_images(8), 10, 8, threads=1).predictions
    assert rows["topk"].to_pylist() == GOLDEN_TOPK, BUMP
    assert rows["target_rank"].to_pylist() == GOLDEN_RANK, BUMP
    assert rows["nll"].to_pylist() == pytest.approx(GOLDEN_NLL, abs=1e-4), BUMP
    assert rows["target_prob"].to_pylist() == pytest.approx(np.exp(-np.array(GOLDEN_NLL)), abs=1e-4)


@needs_shared
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_is_close(precision: str) -> None:
    numerics = EXACT.model_copy(update={"precision": precision})
    low = Engine.load(resnet(), numerics, "cpu")
    rows = low.predict(first_images(64), 10, 64, threads=1).predictions
    exact = predicted(64).predictions.slice(0, 64)
    assert rows.schema.equals(SCHEMA)
    assert not rows["nll"].equals(exact["nll"])
    same = pc.sum(pc.equal(rows["target_rank"], exact["target_rank"])).as_py()
    assert same >= 60


@pytest.mark.parametrize(
    ("factory", "fault"),
    [
        ("nan", "NaN or infinity"),
        ("probabilities", "declared logits, but its outputs are probabilities"),
        ("a_tuple", "returns tuple, not a tensor"),
        ("one_row", "returns [1, 10] for 2 images"),
        ("flat", "returns [20] for 2 images"),
        ("asserting", "Input image height doesn't match model"),
        ("lacking_an_attribute", "no_such_attribute"),
    ],
)
def test_a_faulty_model_is_named_with_the_key(tmp_path: Path, factory: str, fault: str) -> None:
    model = faulty(factory, tmp_path)
    message = told(model)
    assert fault in message
    assert model.name in message
    assert "image_00" in message


def test_ten_outputs_on_a_thousand_classes(tmp_path: Path) -> None:
    message = told(faulty("sound", tmp_path), classes=1_000)
    assert message.startswith("model sound returns [2, 10] for 2 images")
    assert message.endswith("the dataset has 1000 classes, so [2, 1000] is needed")


@pytest.mark.parametrize("output", ["probabilities", "log_probabilities"])
def test_logits_declared_as_something_else(tmp_path: Path, output: str) -> None:
    message = told(faulty("sound", tmp_path, output=output))
    assert f"declared {output}, but" in message
    assert message.endswith("correct `output` or weights")


def test_declared_probabilities_are_taken_as_they_are(tmp_path: Path) -> None:
    as_logits = predict(faulty("sound", tmp_path)).predictions
    declared = predict(faulty("probabilities", tmp_path, output="probabilities")).predictions
    np.testing.assert_allclose(declared["nll"], as_logits["nll"], atol=1e-5)


def test_unequal_sizes_are_told_with_the_remedy(tmp_path: Path) -> None:
    small = grey_image(0, 20)
    wide = dataclasses.replace(
        grey_image(1, 20), image=encode_png(np.zeros((4, 6, 3), dtype=np.uint8))
    )
    with pytest.raises(ModelError, match=r"batch from image_00: .*images differ in size after"):
        predict(faulty("sound", tmp_path), [small, wide])


def test_an_undecodable_image_leaves_the_others_alone(tmp_path: Path) -> None:
    model = faulty("sound", tmp_path)
    samples = [grey_image(key, 20 * (key + 1)) for key in range(5)]
    whole = predict(model, samples)
    for broken in range(5):
        mixed = list(samples)
        mixed[broken] = grey_image(broken, 0, image=b"\xff\xd8\xff no image")
        found = predict(model, mixed)
        row = found.predictions.slice(broken, 1).to_pylist()[0]
        assert row["error"]
        assert (row["key"], row["index"]) == (f"image_{broken:02d}", broken)
        assert row["target"] == samples[broken].target
        computed = set(SCHEMA.names) - {"key", "index", "target", "error"}
        assert {row[name] for name in computed} == {None}
        kept = pa.array([index for index in range(5) if index != broken])
        assert found.predictions.take(kept).equals(whole.predictions.take(kept))
        assert found.scores is not None
        assert whole.scores is not None
        assert found.scores.take(kept).equals(whole.scores.take(kept))
        assert found.scores["probabilities"][broken].as_py() is None


@pytest.mark.parametrize("error", ["OutOfMemoryError", "DefaultCPUAllocator"])
def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_lost(
    tmp_path: Path, error: str
) -> None:
    samples = [grey_image(key, 20 * (key + 1)) for key in range(11)]
    hungry = Engine.load(
        faulty("hungry", tmp_path, arguments={"most": 3, "error": error}), EXACT, "cpu"
    )
    found = hungry.predict(samples, 10, 8, threads=2)
    whole = predict(faulty("sound", tmp_path), samples)
    assert found.predictions.equals(whole.predictions)
    assert [sentence.split(";")[0] for sentence in found.news] == [
        "model hungry: out of memory at 8 images",
        "model hungry: out of memory at 4 images",
    ]
    assert hungry.limit.fit(8) == 2
    assert hungry.predict(samples, 10, 8, threads=2).news == ()


def test_one_image_that_does_not_fit_is_one_clear_error(tmp_path: Path) -> None:
    message = told(faulty("hungry", tmp_path, arguments={"most": 0}))
    assert "model hungry failed on the batch from image_00" in message
    assert "one image alone does not fit into the memory of cpu" in message


def test_the_cost_counts_every_image_and_stage(tmp_path: Path) -> None:
    cost = predict(faulty("sound", tmp_path)).cost
    assert cost.images == 3
    stages = (cost.read, cost.decode, cost.preprocess, cost.forward, cost.rank)
    assert min(stages) > 0
    assert cost.capacity == cost.wall > 0


def test_a_fault_in_reading_comes_out_as_it_is(tmp_path: Path) -> None:
    def samples() -> Iterator[StoredSample]:
        yield from three()
        raise ShardError("the image of c was altered")

    with pytest.raises(ShardError, match="altered"):
        predict(faulty("sound", tmp_path), samples())


def test_no_image_decodes(tmp_path: Path) -> None:
    samples = [grey_image(key, 0, image=b"no image") for key in range(3)]
    rows = predict(faulty("sound", tmp_path), samples).predictions
    assert rows["error"].null_count == 0
    assert rows["nll"].null_count == 3


def test_unlabelled_samples_are_predicted(tmp_path: Path) -> None:
    samples = [dataclasses.replace(sample, target=None) for sample in three()]
    rows = predict(faulty("sound", tmp_path), samples).predictions
    assert rows["target_rank"].null_count == 3
    assert rows["topk"].null_count == 0


def test_nothing_to_predict(tmp_path: Path) -> None:
    found = predict(faulty("sound", tmp_path), [])
    assert found.predictions.num_rows == 0
    assert found.predictions.schema.equals(SCHEMA)
    assert found.scores is None or found.scores.num_rows == 0
