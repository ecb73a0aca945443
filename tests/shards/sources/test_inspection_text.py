from pathlib import Path

import yaml

from conf.plan import DatasetPlan
from shards.errors import SourceError
from shards.sample import ClassList
from shards.sources.inspection import inspect_location
from shards.sources.inspection_text import description_lines, plan_lines
from shards.sources.opening import open_source
from shards.sources.source import Source, SourceSpec
from tests.shards.listed import ListSource
from tests.shards.made import made_sample
from tests.shards.sources.test_inspection import folder_of


def test_the_snippet_is_a_dataset_of_a_plan(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "Bob's Pets", cat=2, dog=2)
    (found,) = inspect_location(root)
    (entry,) = yaml.safe_load("\n".join(plan_lines(found)))
    dataset = DatasetPlan.model_validate(entry)
    assert (dataset.name, dataset.split) == ("bob-s-pets", "test")
    assert len(open_source(dataset, dataset.split)) == found.entries


def test_absent_classes_are_named(tmp_path: Path) -> None:
    classes = ClassList.of_names(("ant", "bee", "cat", "dog", "eel", "fox", "gnu"))
    source = ListSource([made_sample(0, 1), made_sample(1, 1)], classes=classes, notes=("odd",))

    def opener(spec: SourceSpec, split: str) -> Source:
        if (spec.source, split) != ("cifar10", "train"):
            raise SourceError("not this")
        return source

    (found,) = inspect_location(tmp_path, opener)
    lines = description_lines(found)
    assert "classes: 1 of 7 present" in lines
    assert "absent: ant, cat, dog, eel, fox and 1 more" in lines
    assert "entries per class: 2" in lines
    assert "note: odd" in lines
    assert (found.split, found.is_uneven) == ("train", False)
