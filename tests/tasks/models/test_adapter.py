import pytest
import torch
from torch import nn

from tasks.models.adapter import ModuleAdapter, as_scores


def test_a_module_scores_through_its_adapter() -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    batch = torch.rand(2, 3, 2, 2)
    adapter = ModuleAdapter(linear)
    assert torch.equal(adapter.scores(batch), linear(batch))
    assert adapter.on(torch.device("cpu")).module is linear
    doubled = adapter.around(nn.Sequential(linear, nn.Linear(3, 5)))
    assert doubled.scores(batch).shape == (2, 5)


@pytest.mark.parametrize("answer", [None, (torch.zeros(1), torch.zeros(1)), {"logits": 1}])
def test_what_is_no_tensor_is_told(answer: object) -> None:
    with pytest.raises(TypeError, match=f"it returns {type(answer).__name__}, not a tensor"):
        as_scores(answer)
