import importlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from shards.errors import ModelError
from tasks.models.load import load, resolve
from tasks.models.spec import ModelSpec
from tests.tasks.models.cifar import AS_TRAINED
from tests.tasks.models.made import told

CLASSES = 4
WEIGHT = np.random.default_rng(0).normal(size=(3, CLASSES)).astype(np.float32)


def made(
    file: Path,
    *,
    batch: int | str = "n",
    outputs: tuple[str, ...] = ("logits",),
    half: bool = False,
) -> Path:
    """A linear model of the mean colour."""
    kind, width = (TensorProto.FLOAT16, np.float16) if half else (TensorProto.FLOAT, np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["colour"]),
        *(helper.make_node("MatMul", ["colour", "weight"], [name]) for name in outputs),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("images", kind, [batch, 3, "h", "w"])],
        [helper.make_tensor_value_info(name, kind, [batch, CLASSES]) for name in outputs],
        [numpy_helper.from_array(WEIGHT.astype(width), "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, file)
    return file


def onnx_spec(file: Path, **changes: Any) -> ModelSpec:
    return ModelSpec.model_validate(
        {"name": "m", "loader": f"onnx:{file}", "preprocessing": AS_TRAINED, **changes}
    )


def expected(images: torch.Tensor) -> torch.Tensor:
    return images.mean((2, 3)) @ torch.from_numpy(WEIGHT)


@pytest.mark.parametrize("batch", ["n", 1, 4])
@pytest.mark.parametrize("count", [1, 4, 6])
def test_a_session_scores_batches_of_any_size(tmp_path: Path, batch: int | str, count: int) -> None:
    adapter = load(resolve(onnx_spec(made(tmp_path / "m.onnx", batch=batch))))
    images = torch.rand(count, 3, 8, 8)
    torch.testing.assert_close(adapter.scores(images), expected(images))
    assert adapter.on(torch.device("cpu")) is adapter
    assert adapter.module is None


def test_half_precision(tmp_path: Path) -> None:
    adapter = load(resolve(onnx_spec(made(tmp_path / "m.onnx", half=True))))
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(adapter.scores(images).float(), expected(images), atol=1e-2, rtol=0)


def test_the_output_with_a_known_name_is_taken(tmp_path: Path) -> None:
    adapter = load(resolve(onnx_spec(made(tmp_path / "m.onnx", outputs=("features", "logits")))))
    assert adapter.scores(torch.rand(1, 3, 8, 8)).shape == (1, CLASSES)
    message = told(onnx_spec(made(tmp_path / "m.onnx", outputs=("a", "b"))))
    assert "returns a, b; one output, or one named logits" in message


def test_weights_outside_of_the_file_are_hashed_too(tmp_path: Path) -> None:
    file = made(tmp_path / "m.onnx")
    onnx.save(
        onnx.load(file),
        file,
        save_as_external_data=True,
        location="outside.bin",
        size_threshold=0,
    )
    outside = tmp_path / "outside.bin"
    model = resolve(onnx_spec(file))
    assert model.more_files == (outside,)
    torch.testing.assert_close(
        load(model).scores(torch.ones(1, 3, 8, 8)), expected(torch.ones(1, 3, 8, 8))
    )
    before = model.fingerprint
    outside.write_bytes(np.zeros_like(WEIGHT).tobytes())
    assert resolve(onnx_spec(file)).fingerprint != before
    with pytest.raises(ModelError, match="changed while the run was going on"):
        load(model)
    outside.unlink()
    assert told(onnx_spec(file)) == (
        f"model m: {file} keeps its weights in {outside}: no such file"
    )


def test_what_is_no_onnx(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(b"\xff\xff no protobuf")
    assert told(onnx_spec(file)).startswith(f"model m: {file} cannot be read as ONNX (")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_extra_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    file = made(tmp_path / "m.onnx")
    found = importlib.import_module

    def without(name: str) -> Any:
        if name == package:
            raise ModuleNotFoundError(f"No module named {name!r}")
        return found(name)

    monkeypatch.setattr("tasks.models.foreign.importlib.import_module", without)
    assert told(onnx_spec(file)) == (
        f"model m: the package {package} is needed and cannot be imported (No module named "
        f"{package!r}); pip install 'nightmark[onnx]'"
    )


def test_this_runtime_has_no_cuda(tmp_path: Path) -> None:
    adapter = load(resolve(onnx_spec(made(tmp_path / "m.onnx"))))
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ModelError, match="pip install onnxruntime-gpu"):
        adapter.on(torch.device("cuda:0"))
