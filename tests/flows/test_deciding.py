"""Decisions through the command: promote, pin, revoke, override."""

import getpass
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shards.store import Store
from tasks.comparisons import compare_stored
from tasks.gates.baseline import compared_with
from tasks.gates.decisions import read_decisions
from tasks.gates.gate import Gate
from tasks.gates.judging import judge
from tasks.stored import StoredScoring
from tests.support.stored import logits, outcome_of, pair_name, store_evaluation, store_night

Command = Callable[..., int]
Printed = pytest.CaptureFixture[str]
TARGETS = (np.arange(40) % 4).tolist()
NET = "made/test/net"
WHY = ("--why", "it is better")


@pytest.fixture
def store(root: Path) -> Store:
    return Store.at(root)


def evaluated(store: Store, version: str = "1", model: str = "net") -> StoredScoring:
    scores = logits(np.array(TARGETS), 4, skill=2, seed=int(version))
    return store_evaluation(store, pair_name(model), scores, TARGETS, version=version)


def failed_night(store: Store) -> StoredScoring:
    stored = evaluated(store)
    verdict = judge(Gate(metric="top1", min=1, policy="point"), stored.scoring)
    store_night(store, 1, outcome_of(stored, state="failed", verdicts=(verdict,)))
    return stored


def test_what_passed_is_promoted_and_revoked(
    store: Store, nightmark: Command, capsys: Printed
) -> None:
    stored = evaluated(store)
    store_night(store, 1, outcome_of(stored))
    assert nightmark("promote", NET, *WHY) == 0
    (made,) = read_decisions(store, pair_name("net"))
    assert (made.who, made.why, made.evaluation) == (
        *(getpass.getuser(), "it is better", stored.evaluation.id),
    )
    assert f"the baseline is {stored.evaluation.id}, promoted by" in capsys.readouterr().out
    assert nightmark("revoke", NET, made.id, "--why", "wrong labels", "--who", "Bob") == 0
    assert f"{NET}: no baseline" in capsys.readouterr().out
    assert nightmark("decisions") == 0
    listed = capsys.readouterr().out
    assert f"{made.id}  promote {stored.evaluation.id}" in listed
    assert "— revoked by Bob: wrong labels" in listed


def test_a_pin_counts_before_a_promotion_and_may_be_another_model(
    store: Store, nightmark: Command, capsys: Printed
) -> None:
    old, new = evaluated(store, model="old"), evaluated(store)
    store_night(store, 1, outcome_of(new))
    assert nightmark("pin", "made/test/old", "--for", "net", *WHY) == 0
    assert nightmark("promote", NET, *WHY) == 0
    baseline = read_decisions(store, pair_name("net")).baseline()
    assert baseline is not None
    assert (baseline.evaluated, baseline.evaluation) == (old.evaluation.pair, old.evaluation.id)
    assert f"the baseline is {old.evaluation.id} of old, pinned by" in capsys.readouterr().out


def test_a_failure_is_accepted_by_name_shown_and_then_promoted_by_hand(
    store: Store, root: Path, nightmark: Command, capsys: Printed
) -> None:
    failed_night(store)
    assert nightmark("promote", NET, *WHY) == 2
    assert "`nightmark override` accepts that" in capsys.readouterr().err
    accept = ("--why", "the labels are wrong", "--who", "Ada", "--expires", "2099-12-31")
    assert nightmark("override", NET, *accept) == 0
    assert nightmark("promote", NET, *WHY) == 0
    capsys.readouterr()
    assert nightmark("report", "latest") == 0
    said = "Accepted although it failed (Top-1 accuracy overall at least 100.0 %): "
    printed = capsys.readouterr().out
    assert said in printed
    assert "Ada: the labels are wrong (until 2099-12-31). The verdict stays failed." in printed
    assert "failed" in printed
    (page,) = root.glob("nights/*/index.html")
    assert said in page.read_text()
    (summary,) = root.glob("nights/*/summary.md")
    assert said in summary.read_text()
    (record,) = root.glob("nights/*/night.json")
    assert '"state": "failed"' in record.read_text()


def test_the_change_against_the_baseline_is_printed(
    store: Store, root: Path, nightmark: Command, capsys: Printed
) -> None:
    old, new = evaluated(store, "1"), evaluated(store, "2")
    comparison, _ = compare_stored(store, old, new)
    note = compared_with(comparison, "d").note
    store_night(store, 1, outcome_of(new, comparison=note))
    assert nightmark("report", "latest") == 0
    assert f"{NET}: {note.sentence}" in capsys.readouterr().out
    assert f"{comparison.fixed} fixed, {comparison.broken} broken, p = " in note.sentence
    (page,) = root.glob("nights/*/made/test/net/report.html")
    assert note.sentence in page.read_text()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("promote", NET, "--why", " "), "a reason is needed"),
        (("override", NET, *WHY), "nothing to accept"),
        (("pin", "made/test/gone", *WHY), "has no evaluation of made/test/gone"),
        (("revoke", NET, "x", *WHY), "there is no decision 'x'"),
        (("revoke", "made/test", "x", *WHY), "names no evaluation"),
    ],
)
def test_what_cannot_be_decided_is_one_line_and_code_2(
    store: Store, nightmark: Command, capsys: Printed, words: tuple[str, ...], fault: str
) -> None:
    store_night(store, 1, outcome_of(evaluated(store)))
    assert nightmark(*words) == 2
    assert fault in capsys.readouterr().err
    assert read_decisions(store, pair_name("net")) == ()


@pytest.mark.parametrize(
    ("day", "fault"), [("soon", "write a day as"), ("2020-01-01", "is over already")]
)
def test_a_wrong_end_of_an_override_is_refused(
    store: Store, nightmark: Command, capsys: Printed, day: str, fault: str
) -> None:
    failed_night(store)
    assert nightmark("override", NET, *WHY, "--expires", day) == 2
    assert fault in capsys.readouterr().err


def test_a_reason_is_mandatory(store: Store, nightmark: Command, capsys: Printed) -> None:
    assert nightmark("promote", NET) == 2
    assert "--why" in capsys.readouterr().err


def test_without_decisions_it_is_said(store: Store, nightmark: Command, capsys: Printed) -> None:
    assert nightmark("decisions") == 0
    assert "nothing was decided yet" in capsys.readouterr().out


def test_the_decisions_of_every_pair_are_listed(
    store: Store, nightmark: Command, capsys: Printed
) -> None:
    for model in ("first", "second"):
        evaluated(store, model=model)
        assert nightmark("pin", f"made/test/{model}", *WHY) == 0
    capsys.readouterr()
    assert nightmark("decisions") == 0
    listed = capsys.readouterr().out
    assert "made/test/first: the baseline is" in listed
    assert "made/test/second: the baseline is" in listed


def test_a_pin_for_what_is_no_name_is_refused(
    store: Store, nightmark: Command, capsys: Printed
) -> None:
    evaluated(store)
    for name in ("../net", "<script>", "a/b", ""):
        assert nightmark("pin", NET, "--for", name, *WHY) == 2
    assert "names no evaluation" in capsys.readouterr().err
    assert not read_decisions(store, pair_name("net"))


def test_no_decision_about_a_pair_is_said_of_that_pair(
    store: Store, nightmark: Command, capsys: Printed
) -> None:
    evaluated(store)
    assert nightmark("pin", NET, *WHY) == 0
    capsys.readouterr()
    assert nightmark("decisions", "made/test/other") == 0
    assert "nothing was decided yet about made/test/other" in capsys.readouterr().out


def test_a_folder_that_is_no_name_hides_no_decision(
    store: Store, root: Path, nightmark: Command, capsys: Printed
) -> None:
    evaluated(store)
    assert nightmark("pin", NET, *WHY) == 0
    (root / "decisions" / "Not A Name" / "x" / "y").mkdir(parents=True)
    capsys.readouterr()
    assert nightmark("decisions") == 0
    assert f"{NET}: the baseline is" in capsys.readouterr().out
