"""A quick look: part of the night's work, marked everywhere, and no step towards a baseline."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.nightly import nightly
from flows.returned import taken
from shards.errors import InputError
from shards.store import Store
from tasks.night import Night
from tasks.stored import find_scored

PLAN = Path(__file__).parents[1] / "plans" / "small.yaml"
PAIR = "cifar10/test/resnet8"
Command = Callable[..., int]


def test_a_quick_look_is_marked_feeds_the_night_and_is_never_a_baseline(
    root: Path, nightmark: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    state = nightly(PLAN, quick=2, return_state=True)
    night = taken(state, Night)
    (outcome,) = night.outcomes
    assert (state.name, night.quick, night.work.computed) == ("Passed", 2, 2)
    assert "A quick look at the first 2 shards of each split" in (state.message or "")
    assert outcome.quick is not None
    assert (outcome.quick.samples, outcome.quick.of_samples) == (10, 20)
    assert "in the order of the source" in outcome.quick.sentence
    folder = root / "nights" / night.name
    assert "Quick look: yes, it passed" in (folder / "index.html").read_text()
    assert (
        "judged on the first 2 of 4 shards (10 of 20 images)"
        in (folder / PAIR / "report.html").read_text()
    )

    store = Store.at(str(root))
    assert not (root / "decisions").exists(), "it passed, and is not promoted"
    with pytest.raises(InputError, match=rf"no evaluation of {PAIR} but the quick looks @"):
        find_scored(store, PAIR)
    for reference in (f"{PAIR}@{night.name}", f"{PAIR}@{outcome.evaluation}"):
        assert find_scored(store, reference).scoring.n == 10
        for verb in ("promote", "pin", "override"):
            assert nightmark(verb, reference, "--why", "I say so", "--root", root) == 2
            assert "is a quick look at the first 2 shards" in capsys.readouterr().err

    assert nightmark("night", PLAN) == 0
    assert "Computed 2 shards (10 images" in capsys.readouterr().out, "the rest, and no more"
    assert find_scored(store, PAIR).scoring.n == 20
    assert len(list(root.glob(f"decisions/{PAIR}/*.json"))) == 1

    assert nightmark("nights", "--root", root) == 0
    printed = capsys.readouterr().out
    assert f"{night.name}  small  passed  quick look, 2 shards\n" in printed
