"""The highest of circles."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from glacier_inversion.dataset.discs import highest_within


@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.floats(0.1, 12),
    st.integers(0, 5),
)
def test_it_is_that_of_a_plain_loop(shape, radius, seed):
    "Whatever is unknown, and circles larger than all there is included."
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape)
    values[rng.random(shape) < 0.4] = np.nan
    expected = np.full(shape, np.nan)
    for row, col in np.ndindex(shape):
        for r, c in np.ndindex(shape):
            if (r - row) ** 2 + (c - col) ** 2 <= radius**2:
                expected[row, col] = np.fmax(expected[row, col], values[r, c])
    np.testing.assert_array_equal(highest_within(values, radius), expected)
