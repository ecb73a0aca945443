"""Images of shards in the folder of a night: copied once, shown when the shards are gone."""

import json
from pathlib import Path

import numpy as np
import pytest

from shards.store import Store
from tasks.layout import night_folder, night_metrics, night_pictures
from tasks.night import Night
from tasks.report.history import metrics_table
from tasks.report.pages import compose_report, write_night
from tasks.stored import StoredScoring, read_scorings
from tasks.tables import table_bytes
from tests.shards.made import FOLDER, ListSource, build, made_sample
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
    assert "Images cannot be shown" in written(store, night)
    assert not rows(store, night, "mistakes-0")[0][-1]
    (tmp_path / stored.evaluation.predictions[0]).unlink()
    assert "is missing; run the evaluation again" in written(store, night)


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
