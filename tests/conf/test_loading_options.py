import re
from pathlib import Path
from typing import Any

import pytest

from conf.loading import load
from tests.conf.conftest import Write
from tests.conf.small_plan import PLAN, message


def test_paths_start_from_the_plans_folder(
    write: Write, plan: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan["models"][0]["weights"] = "../weights.pth"
    path = write(plan)
    monkeypatch.chdir(tmp_path.parent)
    loaded = load(Path(tmp_path.name) / path.name, environment={})
    assert loaded.datasets[0].location == tmp_path.resolve() / "images"
    assert loaded.models[0].weights == tmp_path.resolve().parent / "weights.pth"
    assert loaded.runtime.root == "artifacts"


def test_the_option_wins_over_the_environment_and_that_over_the_file(write: Write) -> None:
    path = write(PLAN)
    environment = {"NIGHTMARK_RUNTIME__BATCH_SIZE": "8", "NIGHTMARK_ROOT": "elsewhere"}
    assert load(path, (), {}).runtime.batch_size == 16
    assert load(path, (), environment).runtime.batch_size == 8
    assert load(path, (), environment).runtime.root == "elsewhere"
    overrides = ("runtime.batch_size=4", "runtime.root=here")
    assert load(path, overrides, environment).runtime.batch_size == 4
    assert load(path, overrides, environment).runtime.root == "here"


def test_the_process_environment_is_read(
    write: Write, plan: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTMARK_RUNTIME__BATCH_SIZE", "3")
    monkeypatch.setenv("NIGHTMARK_ROOT", "s3://bucket/prefix")
    runtime = load(write(plan)).runtime
    assert (runtime.batch_size, runtime.root) == (3, "s3://bucket/prefix")


@pytest.mark.parametrize("root", ["2026-07-01", "20260701", "~", "yes"])
def test_any_name_is_a_root(write: Write, root: str) -> None:
    assert load(write(PLAN), (), {"NIGHTMARK_ROOT": root}).runtime.root == root


def test_overrides_reach_lists_and_values_are_yaml(write: Write) -> None:
    plan = load(
        write(PLAN),
        ("models.0.arguments.depth=20", "runtime.devices=[cpu:0, cpu:1]", "datasets.0.name=d"),
        {},
    )
    assert plan.models[0].arguments == {"depth": 20}
    assert plan.runtime.devices == ("cpu:0", "cpu:1")


@pytest.mark.parametrize(
    "override",
    [
        "runtime.batch_size=zero",
        "runtime.batchsize=3",
        "runtime.devices=[1]",
        "models.0.argments.depth=20",
        "datasets.7.name=x",
        "datasets.first.name=x",
        "name.deeper=1",
        "runtime.devices=[",
    ],
)
def test_a_bad_option_is_named(write: Write, override: str) -> None:
    told = message(write(PLAN), override)
    assert told.startswith(f"option --set {override}: ")
    assert "\n" not in told


@pytest.mark.parametrize("override", ["runtime.batch_size", "=3", ""])
def test_an_option_is_key_and_value(write: Write, override: str) -> None:
    assert message(write(PLAN), override) == (
        f"--set {override}: write KEY=VALUE, e.g. runtime.batch_size=8"
    )


@pytest.mark.parametrize(
    ("variable", "value"), [("BATCH_SIZE", "zero"), ("BATCHSIZE", "3"), ("DEVICES", "[")]
)
def test_a_bad_variable_is_named(write: Write, variable: str, value: str) -> None:
    name = f"NIGHTMARK_RUNTIME__{variable}"
    told = message(write(PLAN), **{name: value})
    assert told.startswith(f"environment {name}: runtime.{variable.lower()}")


def test_a_value_that_is_no_yaml_is_told_as_such(write: Write) -> None:
    told = message(write(PLAN), "runtime.devices=[")
    assert re.search("YAML", told)
    assert "does not lead anywhere" not in told
