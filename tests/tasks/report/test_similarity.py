"""Classes that are taken for each other stand side by side."""

import numpy as np

from tasks.report.similarity import similarity_order


def test_confused_classes_are_neighbours() -> None:
    generator = np.random.default_rng(3)
    partner = generator.permutation(40).reshape(20, 2)
    cells = [(index, index, 8) for index in range(40)]
    cells += [(int(a), int(b), 2) for a, b in partner] + [(int(b), int(a), 1) for a, b in partner]
    order = similarity_order(sorted(cells), [10] * 40)
    assert sorted(order) == list(range(40))
    assert all(abs(order.index(a) - order.index(b)) == 1 for a, b in partner)


def test_few_classes_and_classes_without_samples() -> None:
    assert similarity_order([], []) == ()
    assert similarity_order([(0, 1, 3)], [3, 0]) == (0, 1)
    assert sorted(similarity_order([(0, 1, 3)], [3, 0, 0])) == [0, 1, 2]
