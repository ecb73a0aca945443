import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar as oracle_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep

from tasks.metrics.paired import (
    Fourfold,
    false_discovery,
    mcnemar,
    mcnemar_chi_squared,
    mcnemar_each,
    paired_interval,
    unpaired_interval,
)
from tests.tasks.metrics.made_by_hand import unhurried

counts = st.integers(0, 60)


def test_the_textbook_table() -> None:
    assert mcnemar(25, 10) == pytest.approx(0.0166738, abs=1e-7)
    assert mcnemar_chi_squared(25, 10) == pytest.approx(5.6)


@unhurried
@given(fixed=counts, broken=counts)
def test_mcnemar_agrees_with_statsmodels(fixed: int, broken: int) -> None:
    table = [[7, broken], [fixed, 9]]
    exact = oracle_mcnemar(table, exact=True).pvalue if fixed + broken else 1.0
    assert mcnemar(fixed, broken) == pytest.approx(exact, rel=1e-9)
    if fixed != broken:
        corrected = oracle_mcnemar(table, exact=False, correction=True).statistic
        assert mcnemar_chi_squared(fixed, broken) == pytest.approx(corrected)


def test_without_a_disagreement_nothing_is_shown() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar_chi_squared(0, 0) is None
    assert mcnemar_chi_squared(3, 3) == 0
    assert mcnemar_each(np.array([0, 5, 0]), np.array([0, 0, 6])).tolist() == pytest.approx(
        [1.0, 2 * 0.5**5, 2 * 0.5**6]
    )


@pytest.mark.parametrize(("n", "points"), [(50_000, 0.277), (10_000, 0.62)])
def test_the_half_width_at_10_percent_discordance(n: int, points: float) -> None:
    low, high = paired_interval(n // 20, n // 20, n)
    assert 100 * (high - low) / 2 == pytest.approx(points, abs=1e-3)


def test_a_published_interval() -> None:
    # Airway hyper-responsiveness, 21 children: Fagerland, Lydersen and Laake (2014), table 3.
    assert paired_interval(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)


def by_definition(fixed: int, broken: int, n: int, delta: float) -> float:
    """The score statistic, its likelihood maximised by search instead of by formula."""
    lowest = max(0.0, -delta)

    def minus_likelihood(lost: float) -> float:
        shares = (lost + delta, lost, 1 - 2 * lost - delta)
        return -sum(
            count * math.log(max(share, 1e-300))
            for count, share in zip((fixed, broken, n - fixed - broken), shares, strict=True)
        )

    bounds = (lowest, (1 - delta) / 2)
    lost = optimize.minimize_scalar(minus_likelihood, bounds=bounds, options={"xatol": 1e-12}).x
    variance = (2 * lost + delta - delta * delta) / n
    return ((fixed - broken) / n - delta) / math.sqrt(variance)


@pytest.mark.parametrize(
    ("fixed", "broken", "n"), [(25, 10, 100), (3, 9, 50), (1, 7, 21), (40, 4, 60), (5, 5, 12)]
)
def test_at_its_ends_the_score_is_the_critical_one(fixed: int, broken: int, n: int) -> None:
    low, high = paired_interval(fixed, broken, n, 0.9)
    z = stats.norm.isf(0.05)
    assert by_definition(fixed, broken, n, low) == pytest.approx(z, abs=1e-4)
    assert by_definition(fixed, broken, n, high) == pytest.approx(-z, abs=1e-4)


@unhurried
@given(fixed=counts, broken=counts, same=counts, confidence=st.floats(0.5, 0.9999))
def test_an_interval_holds_the_difference_and_turns_with_the_sides(
    fixed: int, broken: int, same: int, confidence: float
) -> None:
    n = fixed + broken + same
    if n == 0:
        with pytest.raises(ValueError, match="are no comparison"):
            paired_interval(fixed, broken, n)
        return
    low, high = paired_interval(fixed, broken, n, confidence)
    assert -1 <= low <= (fixed - broken) / n <= high <= 1
    assert paired_interval(broken, fixed, n, confidence) == (-high, -low)


def test_few_images_prove_little() -> None:
    low, high = paired_interval(0, 0, 20)
    assert -low == high == pytest.approx(stats.norm.isf(0.025) ** 2 / (20 + 1.9599639845**2))
    assert paired_interval(1, 0, 1)[0] < 0 < paired_interval(1, 0, 1)[1] == 1
    assert paired_interval(20, 0, 20)[1] == 1


@pytest.mark.parametrize(
    ("better", "worse", "n"), [(0.05, 0.05, 200), (0.03, 0.06, 500), (0.1, 0.02, 100)]
)
def test_coverage_by_simulation(better: float, worse: float, n: int) -> None:
    generator = np.random.default_rng(5)
    drawn = generator.multinomial(n, [better, worse, 1 - better - worse], size=2_000)
    intervals = {}
    covered = 0
    for fixed, broken, _ in drawn.tolist():
        low, high = intervals.setdefault((fixed, broken), paired_interval(fixed, broken, n))
        covered += low <= better - worse <= high
    assert 0.935 <= covered / 2_000 <= 0.97


@unhurried
@given(
    ours=st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    theirs=st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
)
def test_different_images_agree_with_statsmodels(
    ours: tuple[int, int], theirs: tuple[int, int]
) -> None:
    found = unpaired_interval(ours, theirs)
    oracle = confint_proportions_2indep(*ours, *theirs, method="newcomb")
    assert found == pytest.approx(oracle, abs=1e-9)
    assert unpaired_interval(theirs, ours) == (-found[1], -found[0])


@unhurried
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_false_discovery_agrees_with_statsmodels(values: list[float]) -> None:
    oracle = multipletests(values, method="fdr_bh")[1]
    assert false_discovery(np.array(values)) == pytest.approx(oracle, abs=1e-12)


def test_of_no_class_nothing_is_discovered() -> None:
    assert false_discovery(np.array([])).size == 0


def test_a_fourfold_table_adds_up() -> None:
    table = Fourfold(both_right=70, fixed=8, broken=5, both_wrong=17)
    assert (table.n, table.difference) == (100, 0.03)
    assert Fourfold(0, 0, 0, 0).difference is None
    with pytest.raises(ValueError, match="negative"):
        Fourfold(1, -1, 0, 0)
