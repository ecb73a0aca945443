import os
import shutil

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tasks.models.compiled import Compiled, Fed, filled, has_compiler, keep_programs
from tasks.models.engine import Engine
from tasks.models.preprocess import normalise
from tests.support.shared_data import needs_shared
from tests.tasks.models.cifar import AS_TRAINED, EXACT, engine, first_images, resnet


def images(count: int) -> Tensor:
    torch.manual_seed(1)
    made = torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8)
    return made.contiguous(memory_format=torch.channels_last)


def test_normalisation_is_the_first_layer() -> None:
    found = Fed(nn.Identity(), AS_TRAINED)(images(4))
    assert torch.equal(found, normalise(list(images(4)), AS_TRAINED, torch.device("cpu")))


@pytest.mark.parametrize("size", [3, 4, 9])
def test_a_batch_is_filled_up_with_its_last_image(size: int) -> None:
    whole = filled(images(3), size)
    assert whole.shape == (size, 3, 8, 8)
    assert torch.equal(whole[:3], images(3))
    assert all(torch.equal(image, images(3)[-1]) for image in whole[3:])
    assert whole.is_contiguous(memory_format=torch.channels_last)


def test_a_compiler_is_looked_for_under_the_name_that_torch_uses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    there: set[str] = {"g++"}
    monkeypatch.setattr(shutil, "which", lambda name: name if name in there else None)
    assert has_compiler()
    monkeypatch.setenv("CXX", "icpx")
    assert not has_compiler()
    there.add("icpx")
    assert has_compiler()
    monkeypatch.delenv("CXX")
    there.clear()
    assert not has_compiler()


def test_programs_are_kept_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    keep_programs()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "/cache/nightmark/inductor"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/mine")
    keep_programs()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "/mine"


@needs_shared
@pytest.mark.system
@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_network_has_the_same_counts() -> None:
    compiled = Engine.load(resnet(), EXACT.model_copy(update={"compile": True}), "cpu")
    found = compiled.predict(first_images(100), 10, 32, threads=2).predictions
    eager = engine().predict(first_images(100), 10, 32, threads=2).predictions
    assert isinstance(compiled.adapter.module, Compiled)
    for name in ("key", "target", "topk", "target_rank", "error"):
        assert found[name].equals(eager[name])
    np.testing.assert_allclose(found["nll"], eager["nll"], atol=1e-4)
    assert not found["nll"].equals(eager["nll"]), "else compile need not be in the identity"
