"""When what was ranked in two ways is alike."""

import dataclasses

import numpy as np

from tasks.predictions.ranking import Ranked

COUNTED = ("topk", "target_rank", "low", "high")


def assert_alike(found: Ranked, expected: Ranked) -> None:
    """Counts are equal; floats in all but their last digit, and are of the same kind."""
    for field in dataclasses.fields(Ranked):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        assert one.dtype == other.dtype, field.name
        if field.name in COUNTED:
            np.testing.assert_array_equal(one, other, field.name)
        else:
            last = 1e-3 if one.dtype == np.float16 else 1e-6
            np.testing.assert_allclose(one, other, rtol=last, atol=1e-7, err_msg=field.name)
