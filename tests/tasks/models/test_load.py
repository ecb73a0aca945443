from pathlib import Path

from tasks.models.load import resolve
from tasks.models.spec import Preprocessing
from tests.tasks.models.cifar import AS_TRAINED
from tests.tasks.models.made import saved, small_state, spec, told


def test_no_weights() -> None:
    assert told(spec()) == "model m: give `weights`, a local file"


def test_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    assert told(spec(weights=path)) == f"model m: weights {path}: no such file"
    assert told(spec(weights=tmp_path)) == f"model m: weights {tmp_path}: no such file"


def test_weights_that_change_during_the_run(tmp_path: Path) -> None:
    path = saved(small_state(), tmp_path / "w.pth")
    model = resolve(spec(weights=path))
    saved({name: tensor + 1 for name, tensor in small_state().items()}, path)
    assert told(model).startswith(f"model m: {path} changed while the run was going on")
    path.unlink()
    assert str(path) in told(model)


def test_preprocessing_must_come_from_somewhere(tmp_path: Path) -> None:
    path = saved(small_state(), tmp_path / "w.pth")
    message = told(spec(weights=path, preprocessing=None))
    assert message.startswith("model m: its weights carry no preprocessing; give `preprocessing`")


def test_a_declared_preprocessing_wins_key_by_key(tmp_path: Path) -> None:
    path = saved({}, tmp_path / "w.pth")
    model = resolve(spec(loader="timm:tf_efficientnet_lite0", weights=path, arguments={}))
    carried = {"resize": 256, "crop": 224, "interpolation": "bicubic"}
    assert model.preprocessing == AS_TRAINED.model_copy(update=carried)
    as_it_is = Preprocessing(resize=None, crop=None)
    kept = spec(
        loader="timm:tf_efficientnet_lite0", weights=path, arguments={}, preprocessing=as_it_is
    )
    assert resolve(kept).preprocessing.resize is None
