"""docs/plan.md lists every key that a plan may have, with the default it has."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from conf.plan import DatasetPlan, ModelPlan, Plan
from conf.runtime import RuntimePlan
from tasks.gates.gate import Gate
from tasks.metrics.slicing import SliceSpec

TEXT = (Path(__file__).parents[2] / "docs" / "plan.md").read_text()


def section(title: str) -> str:
    return TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("title", "model"),
    [
        ("datasets", DatasetPlan),
        ("Slices", SliceSpec),
        ("models", ModelPlan),
        ("gates", Gate),
        ("runtime", RuntimePlan),
    ],
)
def test_every_key_is_listed(title: str, model: type[BaseModel]) -> None:
    rows = re.findall(r"^\| (`.*?) \|", section(title), re.MULTILINE)
    listed = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert listed >= set(model.model_fields)


def test_every_part_of_a_plan_has_its_place() -> None:
    for name in set(Plan.model_fields) - {"name"}:
        assert f"\n## {name}\n" in TEXT


def test_defaults_of_the_runtime_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", section("runtime"), re.MULTILINE)
    told = {key: text.strip("`") for key, text in rows}
    runtime = RuntimePlan()
    for key in RuntimePlan.model_fields:
        value = getattr(runtime, key)
        value = list(value) if isinstance(value, tuple) else value
        # None is settled from the device, as the row says in words.
        assert value is None or yaml.safe_load(told[key]) == value, key
