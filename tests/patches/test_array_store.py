"""Arrays in a file and in memory."""

import numpy as np
import pytest

from glacier_inversion.patches.array_store import ArrayStore, map_array


@pytest.mark.parametrize("dtype", ["f4", "i4"])
def test_a_file_holds_what_memory_does(tmp_path, dtype):
    "Arrays of several shapes, none of them too, one of which is replaced."
    rng = np.random.default_rng(0)
    shapes = (3, 4), (0, 5), (2, 2), (7, 1)
    arrays = [rng.integers(-99, 99, shape).astype(dtype) for shape in shapes]
    path = tmp_path / "arrays"
    with path.open("wb+") as file:
        stores = ArrayStore(dtype, file, path), ArrayStore(dtype)
        for store in stores:
            assert [store.append(array) for array in arrays] == [0, 1, 2, 3]
            store[2] = arrays[2] + 1
            assert store.starts == [0, 12, 12, 16]
            assert np.array_equal(store[2], arrays[2] + 1)
            assert store[1].shape == (0, 5)
    expected = [arrays[0].ravel(), (arrays[2] + 1).ravel(), arrays[3].ravel()]
    for store in stores:
        assert np.array_equal(store.flat().numpy(), np.concatenate(expected))
    assert map_array(path, dtype).equal(store.flat())


def test_an_empty_file_is_an_empty_tensor(tmp_path):
    "Nothing can be mapped of it."
    path = tmp_path / "arrays"
    with path.open("wb+") as file:
        store = ArrayStore("i4", file, path)
    assert store.flat().shape == (0,)
    assert map_array(path, "f4").shape == (0,)
