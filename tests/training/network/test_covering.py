"""Parts of a lattice that are computed at once."""

import dataclasses

import hypothesis
import numpy as np
from hypothesis import strategies as st

from glacier_inversion.training.network.covering import cut
from glacier_inversion.training.network.dense import DensePlan
from glacier_inversion.training.network.devices import CPU

PLAN = DensePlan([], 4, [(100, 24), (50, 8)], [(10, 24)], 0, 9_000, 1)
ROOMY = dataclasses.replace(CPU, most_bytes=1e9)


@hypothesis.given(
    st.integers(0, 2**31), st.integers(1, 90), st.integers(1, 90), st.booleans()
)
@hypothesis.settings(max_examples=60, deadline=None, derandomize=True)
def test_parts_hold_every_point_once(seed, n_rows, n_cols, with_patches):
    "Unless points may be left to patches; none has more points than allowed."
    rng = np.random.default_rng(seed)
    wanted = rng.random((n_rows, n_cols)) < rng.random() ** 3
    n_covered = np.zeros(wanted.shape, dtype=int)
    tight = dataclasses.replace(CPU, most_bytes=PLAN.n_bytes(32, 32), calls=1e5)
    parts = cut(wanted, PLAN, tight, with_patches)
    for rows, cols in parts:
        n_covered[rows, cols] += 1
        size = rows.stop - rows.start, cols.stop - cols.start
        assert PLAN.n_bytes(*(PLAN.rounded(n) for n in size)) <= tight.most_bytes
    assert n_covered.max(initial=0) <= 1
    if not with_patches:
        assert (n_covered[wanted] == 1).all()


def test_parts_follow_what_is_wanted():
    "A compact area is one part, areas far apart are two, single points are left over."
    costly = dataclasses.replace(PLAN, terms=[(80_000, 24)], per_patch=4_500_000)
    wanted = np.zeros((512, 512), dtype=bool)
    wanted[100:200, 300:400] = True
    assert cut(wanted, costly, ROOMY, True) == [(slice(100, 200), slice(300, 400))]
    wanted[450:470, 10:60] = True
    parts = cut(wanted, costly, ROOMY, True)
    assert len(parts) == 2
    assert cut(np.ones((512, 512), dtype=bool), costly, ROOMY, True) == [
        (slice(0, 512), slice(0, 512))
    ]
    lonely = np.zeros((512, 512), dtype=bool)
    lonely[::100, ::100] = True
    assert cut(lonely, costly, ROOMY, True) == []
    assert len(cut(lonely, costly, ROOMY, False)) == 36
    assert cut(np.zeros((5, 5), dtype=bool), costly, ROOMY, True) == []
