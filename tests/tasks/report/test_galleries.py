"""Images of shards in the folder of a night: copied once, shown when the shards are gone."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from shards.store import Store
from tasks.layout import night_folder, night_metrics, night_pictures
from tasks.night import Night
from tasks.report.galleries import GalleryNote
from tasks.report.history import metrics_table
from tasks.report.pages import compose_report, write_night
from tasks.report.twins import ELSEWHERE, GONE, NOT_KNOWN
from tasks.stored import StoredScoring, read_scorings
from tasks.tables import table_bytes
from tests.shards.made import FOLDER, ListSource, build, made_sample
from tests.support.nights_to_open import Opened, leaked_night
from tests.support.stored import logits, outcome_of, pair_name, store_evaluation, store_night

IMAGES = 12
PAIR = pair_name("m")


def evaluated(store: Store) -> StoredScoring:
    """Four of twelve images are taken for another class."""
    targets = np.arange(IMAGES) % 3
    scores = logits(targets, 3, 20, 1)
    scores[:4] = np.roll(scores[:4], 1, axis=1)
    keys = [f"made_{number:03d}" for number in range(IMAGES)]
    return store_evaluation(store, PAIR, scores, targets.tolist(), keys=keys)


def written(store: Store, night: Night, thumbnails: int = 400) -> str:
    write_night(
        store, compose_report(store, night, read_scorings(store, night.outcomes)), thumbnails
    )
    return store.read(f"{night_folder(night.name)}/{PAIR}/report.html").decode()


def rows(store: Store, night: Night, name: str) -> list[list[object]]:
    script = store.read(f"{night_folder(night.name)}/{PAIR}/{name}.js").decode()
    found = json.loads(
        "[" + script.removeprefix("Nightmark.put(").rstrip().removesuffix(");") + "]"
    )
    assert found[0] == name
    return list(found[1])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.at(tmp_path)
    build(ListSource([made_sample(n, n % 3) for n in range(IMAGES)]), store)
    return store


def test_mistakes_are_copied_from_the_shards_and_stay_when_these_go(
    store: Store, tmp_path: Path
) -> None:
    night = store_night(store, 0, outcome_of(evaluated(store)))
    written(store, night)
    mistakes = rows(store, night, "mistakes-0")
    assert sorted(str(row[0]) for row in mistakes) == [f"made_{n:03d}" for n in range(4)]
    folder = f"{night_folder(night.name)}/{night_pictures(PAIR.split)}"
    for key, *_, picture in mistakes:
        number = int(str(key)[-3:])
        assert store.read(f"{folder}/{picture}") == made_sample(number).image
    for file in (tmp_path / FOLDER).iterdir():
        file.unlink()
    page = written(store, night)
    assert rows(store, night, "mistakes-0") == mistakes
    assert "cannot be shown" not in page


def test_the_number_of_pictures_is_bounded_and_the_list_is_not(store: Store) -> None:
    night = store_night(store, 0, outcome_of(evaluated(store)))
    written(store, night, thumbnails=3)
    mistakes = rows(store, night, "mistakes-0")
    assert len(mistakes) == 4
    assert [bool(row[-1]) for row in mistakes].count(True) == 3
    assert len(store.names(f"{night_folder(night.name)}/{night_pictures(PAIR.split)}")) == 3


def test_without_shards_or_predictions_the_page_says_why(store: Store, tmp_path: Path) -> None:
    stored = evaluated(store)
    night = store_night(store, 0, outcome_of(stored))
    (tmp_path / FOLDER / "manifest.json").unlink()
    page = written(store, night)
    assert "Images cannot be shown" in page
    assert str(tmp_path) not in page
    assert not rows(store, night, "mistakes-0")[0][-1]
    (tmp_path / stored.evaluation.predictions[0]).unlink()
    page = written(store, night)
    assert f"{stored.evaluation.predictions[0]} is missing; run the evaluation again" in page
    assert str(tmp_path) not in page


@pytest.mark.parametrize(
    ("pictures", "mistakes", "said"),
    [
        (1, 1, "1 image of this pair is kept with the night; the one mistake is listed."),
        (0, 0, "0 images of this pair are kept with the night; there is no mistake to list."),
        (400, 1234, "400 images of this pair are kept with the night; all 1,234 mistakes are"),
    ],
)
def test_what_is_kept_is_said_in_singular_and_plural(
    pictures: int, mistakes: int, said: str
) -> None:
    assert GalleryNote(pictures=pictures, mistakes=mistakes).sentence.startswith(said)


def test_the_past_of_a_mistake_is_told(store: Store) -> None:
    targets = np.arange(IMAGES) % 3
    keys = [f"made_{number:03d}" for number in range(IMAGES)]
    right = logits(targets, 3, 20, 1)
    before = store_evaluation(store, PAIR, right, targets.tolist(), keys=keys, version="0")
    first = store_night(store, 0, outcome_of(before))
    publish_metrics(store, first)
    night = store_night(store, 1, outcome_of(evaluated(store)))
    written(store, night)
    assert {row[4] for row in rows(store, night, "mistakes-0")} == {"wrong since 21 November"}


def publish_metrics(store: Store, night: Night) -> None:
    table = metrics_table(night, read_scorings(store, night.outcomes))
    store.publish(night_metrics(night.name), table_bytes(table))


def twins(night: Opened) -> list[tuple[object, list[object]]]:
    """The key of each image in the list of copies, and what is said of its copy."""
    script = (night.report(night.night.outcomes[0].pair).parent / "gallery.js").read_text()
    lists = json.loads(script.partition(", ")[2].strip().removesuffix(");"))
    return [(row[0], row[-1]) for row in lists["copies"]]


def write_again(night: Opened) -> str:
    return written(Store.at(night.folder), night.night)


def test_a_leaked_image_stands_beside_its_copy_though_all_shards_go(tmp_path: Path) -> None:
    night = leaked_night(tmp_path)
    found = dict(twins(night))
    *said, picture, fault = found["made_007"]
    assert (said, fault) == (["made_007", "seen/train", "equal pixels"], "")
    page = night.report(night.night.outcomes[0].pair)
    assert (page.parent / str(picture)).read_bytes() == made_sample(7).image
    assert night.pages / "seen/train" in (page.parent / str(picture)).resolve().parents
    *said, picture, fault = found["made_002"]
    assert (said, fault) == (["made_005", "made/test", "same shot, distance 0.125"], "")
    assert (page.parent / str(picture)).read_bytes() == made_sample(5).image
    shutil.rmtree(tmp_path / "shards")
    assert "cannot be shown" not in write_again(night)
    assert dict(twins(night)) == found


def test_a_copy_whose_shards_are_gone_says_so_and_names_no_folder_of_the_machine(
    tmp_path: Path,
) -> None:
    night = leaked_night(tmp_path)
    shutil.rmtree(tmp_path / "shards/seen")
    shutil.rmtree(night.pages / "seen")
    page = write_again(night)
    assert "Images cannot be shown: shards/seen/train/recipe holds no shards any more." in page
    assert str(tmp_path) not in page
    found = dict(twins(night))
    assert found["made_007"][-2:] == ["", GONE]
    assert found["made_002"][-1] == ""


def test_a_finding_of_before_places_were_kept_says_so_on_the_card(tmp_path: Path) -> None:
    found = dict(twins(leaked_night(tmp_path, known=False)))
    assert found["made_007"] == ["made_007", ELSEWHERE, "equal pixels", "", NOT_KNOWN]
    assert found["made_002"][-1] == ""


def test_shards_that_are_gone_are_named_once(tmp_path: Path) -> None:
    """The copies within a split are in the same shards as its images."""
    night = leaked_night(tmp_path)
    shutil.rmtree(tmp_path / "shards")
    for pictures in night.pages.rglob("_images"):
        shutil.rmtree(pictures)
    page = write_again(night)
    for folder in ("made/test", "seen/train"):
        assert page.count(f"shards/{folder}/recipe holds no shards any more.") == 1


def test_without_thumbnails_no_copy_has_one_either(tmp_path: Path) -> None:
    night = leaked_night(tmp_path)
    shutil.rmtree(night.pages)
    written(Store.at(tmp_path), night.night, thumbnails=0)
    assert {row[3] for _, row in twins(night)} == {""}
    assert not list(night.pages.rglob("*.png"))
