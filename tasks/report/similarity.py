"""Classes in an order in which those that are taken for each other stand side by side."""

from collections.abc import Sequence

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

Cell = tuple[int, int, int]


def similarity_order(cells: Sequence[Cell], support: Sequence[int]) -> tuple[int, ...]:
    """The leaves of an average-linkage tree over classes, most confused first to be joined.

    The distance of two classes is 1 less the mean of the shares in which each is taken for the
    other; equal distances go by class index, so that equal matrices give equal orders.

    Args:
        cells: non-zero cells (target, prediction, count).
        support: samples per class.
    """
    classes = len(support)
    if classes < 3:
        return tuple(range(classes))
    shares = np.zeros((classes, classes))
    for target, prediction, count in cells:
        if target != prediction:
            shares[target, prediction] = count / support[target]
    distances = 1 - (shares + shares.T) / 2
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), method="average")
    return tuple(int(leaf) for leaf in leaves_list(tree))
