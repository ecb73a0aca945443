"""One stored evaluation of sixty images, to be scored under other targets and with more wishes."""

import numpy as np

from shards.store import Store
from tasks.stored import StoredScoring
from tests.support.stored import logits, pair_name, store_evaluation

PAIR = pair_name("m")
CLASSES = 7
TARGETS = np.random.default_rng(3).integers(0, CLASSES, 60)
SCORES = logits(TARGETS, CLASSES, skill=1, seed=4)


def evaluated(store: Store, *, keep_scores: bool = True) -> StoredScoring:
    return store_evaluation(
        store, PAIR, SCORES, TARGETS.tolist(), per_shard=16, keep_scores=keep_scores
    )
