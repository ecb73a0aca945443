import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from tasks.models.spec import Preprocessing
from tasks.parity.parity import Trial, helpful, holm, judge
from tasks.parity.variants import Variant
from tasks.parity.words import conclusion, plan_words

N = 300


def variant(factor: str, name: str) -> Variant:
    return Variant(factor, name, Preprocessing(mean=(0.5,) * 3), "pil")


def trial(factor: str, name: str, fixed: int = 0, broken: int = 0, loss: float = 1.0) -> Trial:
    """Of 300 images the configured way has the first 200 right."""
    hits = np.arange(N) < 200
    hits[200 : 200 + fixed] = True
    hits[:broken] = False
    return Trial(variant(factor, name), hits, loss)


BASE = trial("", "as configured")


def test_a_mistake_is_proven() -> None:
    others = [trial("channels", f"c{i}", broken=3) for i in range(9)]
    others.append(trial("levels", "0 to 255", broken=90))
    found = judge(BASE, [*others, trial("levels", "own", fixed=40, broken=5)])
    (best,) = found.better
    assert str(best.trial.variant) == "levels: own"
    table = [[195, 5], [40, 60]]
    raw = mcnemar(table, exact=True).pvalue
    # The second smallest of eleven.
    assert best.p == pytest.approx(10 * raw)
    low, high = best.interval
    assert 0 < low < 35 / 300 < high
    assert [str(r.trial.variant) for r in found.rivals if r.is_worse] == ["levels: 0 to 255"]
    told = " ".join(conclusion(found))
    assert "200 of 300 images are right" in told
    assert "levels: own has 235, +11.7 points" in told
    assert "proven better after correction for 11 variants" in told
    assert "preprocessing: {mean: [0.5, 0.5, 0.5]}" in told


def test_the_best_of_thirty_by_luck_is_not_called_better() -> None:
    """Thirty variants as good as the configured one: the smallest of their p-values deceives."""
    random = np.random.default_rng(0)
    called, deceived = 0, 0
    for _ in range(50):
        trials = []
        for index in range(30):
            hits = BASE.hits.copy()
            flips = random.random(N)
            # Four of a hundred images change sides, either way alike.
            hits[:200][flips[:200] < 0.04] = False
            hits[200:][flips[200:] < 0.08] = True
            trials.append(Trial(variant(f"f{index}", "x"), hits))
        found = judge(BASE, trials)
        called += bool(found.better)
        deceived += any(
            mcnemar([[0, r.table.broken], [r.table.fixed, 0]], exact=True).pvalue < 0.05
            for r in found.rivals
        )
    assert deceived > 15
    assert called <= 5


def test_a_combination_pays_for_all_that_it_could_have_been() -> None:
    singles = [trial("levels", "a", 9, 1), trial("levels", "b", 5, 1), trial("channels", "c", 8, 1)]
    together = trial("together", "a, c", 12, 1)
    found = judge(BASE, singles, together)
    (rival,) = (r for r in found.rivals if r.trial is together)
    raw = mcnemar([[199, 1], [12, 88]], exact=True).pvalue
    single = [mcnemar([[199, 1], [f, 100 - f]], exact=True).pvalue for f in (9, 5, 8)]
    # Two choices and none, times one choice and none.
    expected = multipletests([*single, min(6 * raw, 1)], method="holm")[1]
    assert rival.p == pytest.approx(expected[3])


@pytest.mark.parametrize("p_values", [[], [0.5], [0.01, 0.04, 0.03, 0.9], [0.02] * 5])
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    expected = multipletests(p_values, method="holm")[1] if p_values else []
    np.testing.assert_allclose(holm(p_values), expected)


def test_only_what_helped_is_put_together_and_of_each_factor_one() -> None:
    trials = [
        trial("levels", "a", fixed=3, loss=0.9),
        trial("levels", "b", fixed=3, loss=0.8),
        trial("channels", "c", broken=1),
        trial("geometry", "d", fixed=1),
        Trial(variant("decoder", "e"), np.zeros(0, dtype=bool), fault="refused"),
    ]
    assert [v.name for v in helpful(BASE, trials)] == ["b", "d"]
    assert helpful(BASE, []) == []
    found = judge(BASE, trials)
    assert [r.trial.variant.name for r in found.rivals] == ["b", "a", "d", "c"]
    assert [t.fault for t in found.faults] == ["refused"]


@pytest.mark.parametrize(
    ("trials", "told"),
    [
        ([], "No variant could be tried."),
        ([trial("levels", "a", broken=1)], "None of 1 variants has more."),
        ([trial("levels", "a", fixed=3)], "no proof (p = 0.25). More images may tell."),
    ],
)
def test_nothing_is_proven(trials: list[Trial], told: str) -> None:
    found = judge(BASE, trials)
    assert not found.better
    assert told in " ".join(conclusion(found))


def test_without_images_nothing_is_known() -> None:
    empty = Trial(variant("", "as configured"), np.zeros(0, dtype=bool))
    assert conclusion(judge(empty, [])) == ["No labelled image was tried, so nothing is known."]


def test_words_of_a_plan() -> None:
    words = Preprocessing(resize=(224, 200), mean=(127.0,) * 3, divisor=1.0)
    assert plan_words(words) == (
        "preprocessing: {resize: [224, 200], mean: [127.0, 127.0, 127.0], divisor: 1.0}"
    )
