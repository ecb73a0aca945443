"""A checkpoint is replaced: foreseen, noticed, and only what it costs is computed again."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from conf.loading import load
from flows.foresee import foresee
from flows.nightly import nightly
from flows.reprocess import reprocess
from flows.returned import taken
from flows.watch import watch_models
from shards.store import Store
from tasks.gates.decisions import read_decisions
from tasks.layout import PairName, SplitName
from tasks.night import Night
from tasks.stored import read_evaluation
from tasks.updates.forecast import Forecast
from tasks.updates.update import Update

PLANS = Path(__file__).parents[1] / "plans"
WEIGHTS = Path(__file__).parents[2] / "conf" / "weights"
PAIR = PairName(SplitName("cifar10", "test"), "resnet8")


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A plan of one's own, with a checkpoint that can be replaced beside it."""
    text = (PLANS / "small.yaml").read_text()
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace("../../conf/weights/cifar10_resnet8_v2", "checkpoint"))
    replace_checkpoint(file, "v1")
    return file


def replace_checkpoint(plan: Path, version: str) -> None:
    shutil.copy(
        WEIGHTS / f"cifar10_resnet8_{version}.safetensors", plan.parent / "checkpoint.safetensors"
    )


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for files to stand still."""
    monkeypatch.setattr("tasks.updates.watching.time", SimpleNamespace(sleep=lambda _: None))


def foreseen(plan: Path, *overrides: str) -> Forecast:
    loaded = load(plan, overrides)
    (forecast,) = foresee(loaded, loaded.in_turn())
    return forecast


def announced(plan: Path) -> tuple[Update, ...]:
    return taken(watch_models(plan, settle_seconds=0.0, return_state=True), tuple)


def run_reprocess(plan: Path, *overrides: str) -> Night:
    state = reprocess(plan, overrides, models=["resnet8"], return_state=True)
    return taken(state, Night)


def test_a_replaced_checkpoint_from_notice_to_baseline(
    root: Path, plan: Path, nightmark: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    before = foreseen(plan)
    assert (before.built, before.computed, before.reused, before.images) == (4, 4, 0, None)
    assert not root.exists() or not any(root.iterdir()), "foreseeing writes nothing"
    first = taken(nightly(plan, return_state=True), Night)
    assert (first.work.computed, first.work.reused) == (4, 0)
    assert foreseen(plan).why == (f"neither model nor dataset changed since night {first.name}",)
    assert announced(plan) == ()

    replace_checkpoint(plan, "v2")
    (update,) = announced(plan)
    assert (update.model, update.datasets) == ("resnet8", ("cifar10",))
    assert update.before == first.outcomes[0].fingerprint
    assert announced(plan) == (), "an update is told once"
    forecast = foreseen(plan)
    assert (forecast.computed, forecast.reused, forecast.images) == (4, 0, 20)
    assert nightmark("reprocess", plan, "--model", "resnet8", "--dry-run") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "cifar10/test/resnet8: 4 shards computed (20 images), 0 reused" in printed
    assert f"the model changed since night {first.name}" in printed

    second = run_reprocess(plan)
    (outcome,) = second.outcomes
    assert (second.kind, outcome.fingerprint) == ("reprocess", update.after)
    assert (outcome.work.computed, outcome.work.reused) == (forecast.computed, forecast.reused)
    assert outcome.comparison is not None
    assert outcome.comparison.evaluation == first.outcomes[0].evaluation
    assert outcome.comparison.state == "before", "the first version did not pass, so is no baseline"
    assert outcome.state == "passed"
    assert read_decisions(Store.at(root), PAIR).baseline().evaluation == outcome.evaluation

    # One lost file costs one shard, and the forecast knows.
    stored = read_evaluation(Store.at(root), PAIR, outcome.evaluation or "")
    (root / stored.predictions[0]).unlink()
    forecast = foreseen(plan)
    assert (forecast.computed, forecast.reused, forecast.images) == (1, 3, 5)


def test_what_was_told_is_said_and_told_anew_if_it_comes_back(
    root: Path,
    plan: Path,
    at_once: None,
    nightmark: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    taken(nightly(plan, return_state=True), Night)
    replace_checkpoint(plan, "v2")
    (update,) = announced(plan)
    state = watch_models(plan, settle_seconds=0.0, return_state=True)
    assert "told before, and not evaluated yet" in str(state.message)
    assert "none changed" not in str(state.message)
    replace_checkpoint(plan, "v1")
    assert nightmark("watch-models", plan) == 0
    assert "1 model looked at: none changed." in capsys.readouterr().out
    replace_checkpoint(plan, "v2")
    assert announced(plan) == (update,)


def test_a_trial_of_other_weights_is_no_update(
    root: Path,
    plan: Path,
    at_once: None,
    nightmark: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = taken(nightly(plan, return_state=True), Night)
    trial = "models.0.revision=trial"
    night = taken(nightly(plan, [trial, "runtime.batch_size=8"], return_state=True), Night)
    assert night.overrides == (trial, "runtime.batch_size=8")
    assert night.outcomes[0].fingerprint != first.outcomes[0].fingerprint
    assert announced(plan) == (), "the plan's own version is the one that was evaluated"
    assert foreseen(plan).why == (f"neither model nor dataset changed since night {first.name}",)
    assert nightmark("nights") == 0
    assert f"  with {trial}\n" in capsys.readouterr().out


def test_a_watch_goes_on_when_a_file_is_away_for_a_moment(
    root: Path,
    plan: Path,
    at_once: None,
    nightmark: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (plan.parent / "checkpoint.safetensors").unlink()
    printed = []

    def wait(seconds: float) -> None:
        printed.append((seconds, capsys.readouterr().out))
        if len(printed) == 2:
            raise SystemExit(0)
        replace_checkpoint(plan, "v1")

    monkeypatch.setattr("flows.cli.updating.time", SimpleNamespace(sleep=wait))
    assert nightmark("watch-models", plan, "--every", 60) == 0
    first, second = printed
    assert "checkpoint.safetensors" in first[1]
    assert second == (60, "1 model looked at: none changed.\n")


def test_more_images_cost_the_shards_that_change(root: Path, plan: Path, tmp_path: Path) -> None:
    less = "datasets.0.include=cifar10_0[0-9]_*.png"
    taken(nightly(plan, [less], return_state=True), Night)
    forecast = foreseen(plan)
    assert (forecast.built, forecast.taken_over) == (2, 2)
    assert (forecast.computed, forecast.reused) == (2, 2)
    night = run_reprocess(plan)
    assert (night.work.computed, night.work.reused) == (forecast.computed, forecast.reused)


def test_what_cannot_be_evaluated_hides_no_other_forecast(
    root: Path, plan: Path, nightmark: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    text = plan.read_text()
    start = text.index("  - name: resnet8")
    model = text[start : text.index("gates:")]
    gone = model.replace("name: resnet8", "name: gone").replace("checkpoint", "nowhere")
    plan.write_text(text.replace(model, gone + model))
    assert nightmark("reprocess", plan, "--dry-run") == 2
    said = " ".join(capsys.readouterr().out.split())
    assert "cifar10/test/gone: cannot be evaluated: " in said
    assert "nowhere.safetensors" in said
    assert "cifar10/test/resnet8: 4 shards computed, 0 reused" in said
    nowhere = "datasets.0.location=nowhere"
    assert nightmark("reprocess", plan, "--dry-run", "--set", nowhere) == 2
    assert capsys.readouterr().out.count("cannot be evaluated: ") == 2


def test_nothing_is_done_for_what_was_evaluated_since(
    root: Path, plan: Path, nightmark: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert nightmark("reprocess", plan, "--since", "2026-01-01") in (0, 4)
    capsys.readouterr()
    assert nightmark("reprocess", plan, "--since", "2026-01-01") == 0
    assert "Nothing to do" in capsys.readouterr().out
    assert nightmark("reprocess", plan, "--model", "resnet9") == 2
    assert "resnet9" in capsys.readouterr().err


def test_a_model_that_cannot_be_looked_at_is_told(root: Path, plan: Path) -> None:
    (plan.parent / "checkpoint.safetensors").unlink()
    state = watch_models(plan, settle_seconds=0.0, return_state=True)
    assert (state.name, state.is_failed()) == ("Unusable", True)
    assert "checkpoint.safetensors" in str(state.message)
