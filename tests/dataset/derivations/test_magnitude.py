"""The magnitude of vectors."""

import numpy as np

from tests.dataset.derivations.helpers import computed


def test_it_is_the_length_of_the_vector():
    "Whatever its direction; unknown where a component is."
    x, y = (
        [[3.0, -3.0, np.nan], [0.0, 5.0, 1.0]],
        [[4.0, 4.0, 1.0], [0.0, -12.0, np.nan]],
    )
    expected = [[5.0, 5.0, np.nan], [0.0, 13.0, np.nan]]
    np.testing.assert_allclose(computed({"name": "magnitude"}, x, y), expected)
