import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tasks.models.adapter import ModuleAdapter
from tasks.models.mapped import MappedAdapter
from tasks.models.spec import Output
from tasks.predictions.ranking import check_output, log_probabilities
from tasks.predictions.schema import Scored, prediction_rows

BACKGROUND = (None, 2, 0, 1)


class Given(nn.Module):
    """A network whose outputs are the first pixels of the first channel."""

    def forward(self, images: Tensor) -> Tensor:
        return images[:, 0, 0]


def mapped(columns: tuple[int | None, ...], classes: int, output: Output) -> MappedAdapter:
    return MappedAdapter.over(ModuleAdapter(Given()), columns, classes, output)


def through(
    scores: Tensor, columns: tuple[int | None, ...], classes: int, output: Output
) -> Tensor:
    return mapped(columns, classes, output).scores(scores[:, None, None, :])


def test_outputs_move_to_their_classes() -> None:
    scores = torch.tensor([[9.0, 1.0, 2.0, 3.0]])
    assert through(scores, BACKGROUND, 3, "logits").tolist() == [[2.0, 3.0, 1.0]]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.floats(-20, 20, width=32), min_size=4, max_size=4), min_size=1, max_size=5)
)
def test_figures_are_the_same_with_and_without_the_softmax(rows: list[list[float]]) -> None:
    logits = torch.tensor(rows)
    exact = log_probabilities(through(logits, BACKGROUND, 3, "logits").numpy(), "logits")
    for output, scores in (
        ("probabilities", logits.softmax(1)),
        ("log_probabilities", logits.log_softmax(1)),
    ):
        found = through(scores, BACKGROUND, 3, output).numpy()  # type: ignore[arg-type]
        assert check_output(found, output) is None  # type: ignore[arg-type]
        np.testing.assert_allclose(
            np.exp(log_probabilities(found, output)),  # type: ignore[arg-type]
            np.exp(exact),
            atol=1e-5,
        )


@pytest.mark.parametrize("output", ["logits", "probabilities", "log_probabilities"])
def test_a_class_without_an_output_is_never_right(output: Output) -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    scores = {
        "logits": logits,
        "probabilities": logits.softmax(1),
        "log_probabilities": logits.log_softmax(1),
    }[output]
    found = through(scores, (4, 0, 2), 6, output).numpy()
    assert check_output(found, output) is None
    rows = prediction_rows(Scored(["a", "b"], [1, 4], found, [None, None], output)).to_pylist()
    assert rows[0]["target_prob"] == 0
    assert rows[0]["nll"] == float("inf")
    assert rows[0]["target_rank"] >= 3
    assert (rows[1]["target_rank"], rows[0]["topk"][:3]) == (0, [2, 0, 4])


@pytest.mark.parametrize(
    ("output", "whole"),
    [("probabilities", [1.0, 0.0, 0.0, 0.0]), ("log_probabilities", [0.0, *[-torch.inf] * 3])],
)
def test_an_image_that_is_all_background(output: Output, whole: list[float]) -> None:
    found = through(torch.tensor([whole]), BACKGROUND, 3, output).numpy()
    assert check_output(found, output) is None
    third = np.exp(log_probabilities(found, output))
    np.testing.assert_allclose(third, np.full((1, 3), 1 / 3), atol=1e-6)


def test_what_belies_the_declared_output_is_still_seen() -> None:
    logits = torch.tensor([[9.0, 1.0, 2.0, 3.0]])
    assert check_output(through(logits, BACKGROUND, 3, "probabilities").numpy(), "probabilities")
    found = through(logits, BACKGROUND, 3, "log_probabilities").numpy()
    assert check_output(found, "log_probabilities")


def test_the_engine_may_exchange_the_network() -> None:
    adapter = mapped(BACKGROUND, 3, "logits").on(torch.device("cpu"))
    assert isinstance(adapter.module, Given)
    twice = adapter.around(nn.Sequential(Given(), nn.Linear(4, 4)))
    assert twice.scores(torch.rand(2, 3, 1, 4)).shape == (2, 3)
