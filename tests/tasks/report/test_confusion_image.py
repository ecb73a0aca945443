"""The small picture of the confusion matrix."""

import base64
import io

import numpy as np
from PIL import Image

from tasks.report.confusion_image import SIDE, confusion_png, data_uri
from tests.tasks.report.nights import NightCase


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L")).astype(int)


def test_the_diagonal_of_a_good_model_is_the_darkest(case: NightCase) -> None:
    shown = pixels(confusion_png(case.scoring("good")))
    assert shown.shape == (SIDE, SIDE)
    cells = shown.reshape(10, SIDE // 10, 10, SIDE // 10)
    assert (cells.min(axis=(1, 3)) == cells.max(axis=(1, 3))).all(), "one colour per cell"
    assert (shown.diagonal() < 80).all()
    assert np.median(shown) > 200


def test_rows_are_targets(case: NightCase) -> None:
    scoring = case.scoring("good").model_copy(
        update={"confusion": ((0, 9, 100),), "support": (100, *([0] * 9))}
    )
    shown = pixels(confusion_png(scoring))
    assert shown[0, -1] < shown[-1, 0]


def test_many_classes_are_thinned_and_lose_no_mistake(thousand: NightCase) -> None:
    scoring = thousand.scoring("wide")
    mistake = scoring.model_copy(
        update={"confusion": ((3, 997, 1),), "support": (0, 0, 0, 1, *([0] * 996))}
    )
    shown = pixels(confusion_png(mistake))
    assert max(shown.shape) <= SIDE
    assert (shown < 100).sum() == 1


def test_it_fits_into_an_address(case: NightCase) -> None:
    png = confusion_png(case.scoring("good"))
    head, _, body = data_uri(png).partition(",")
    assert (head, base64.b64decode(body)) == ("data:image/png;base64", png)
