"""The memory that training needs, estimated from its features before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.grid import Bounds, Grid, lattice
from glacier_inversion.machine.available_memory import find_lack

# Bytes, as they were measured.
_FLOAT = 4
_PLACE = 4  # of a point on its lattice
_POINT = 105  # to find a feature's points and sort them into their cells, for each
_MOMENT = 13  # of all targets in double precision, for each point
_READ = 110  # for a pixel of a target, to tell whose it is
_MOST_READ = 2**24  # pixels for which that is told at once
_LATTICE = 32  # for a pixel of a feature, to put its target on the lattice
_INTERPOLATED = 50  # for a pixel of an image that is interpolated, in between
_SAMPLE = 200  # to draw an epoch, for each of its samples
_KEPT = 15_000_000  # what the allocator does not give back


@dataclass(frozen=True)
class NeededMemory:
    """
    The memory that training needs, besides that of Python and torch themselves.

    Attributes
    ----------
    preparing : int, bytes
        The most that is needed until members are trained.
    own : int, bytes
        While they are.
    in_files : int, bytes
        Besides, mapped from files: the system may take it back.
    """

    preparing: int
    own: int
    in_files: int

    @property
    def peak(self) -> int:
        """The most that is in memory at any time, bytes, where there is enough."""
        return max(self.preparing, self.own + self.in_files)

    @property
    def least(self) -> int:
        """What there must be, bytes."""
        return max(self.preparing, self.own)


def estimate_memory(
    experiment: Experiment,
    bounds: Iterable[Bounds],
    n_points: int,
    n_samples: int,
    network_bytes: int,
) -> NeededMemory:
    """
    Estimate the memory of training a member.

    Parameters
    ----------
    bounds : iterable of Bounds
        Of the tiles of training and validation features.
    n_points : int
        Points with a known target.
    n_samples : int
        Of an epoch.
    network_bytes : int
        What the network takes in a step.
    """
    tiles = [Grid.from_bounds(part, experiment.finest_resolution) for part in bounds]
    lattices = [lattice(tile, experiment.window_px) for tile in tiles]
    n_lattice = sum(points.n_rows * points.n_cols for points in lattices)
    share_known = n_points / max(n_lattice, 1)
    in_files = n_points * (_PLACE + len(experiment.outputs) * _FLOAT)
    preparing = n_points * _MOMENT
    for tile, points in zip(tiles, lattices, strict=True):
        n_tile, n_own = tile.n_rows * tile.n_cols, points.n_rows * points.n_cols
        n_read = sum(
            n_tile // experiment.factor(v) ** 2 for v in experiment.variables()
        )
        n_images = n_interpolated = 0
        for variable in experiment.inputs:
            factor = experiment.factor(variable)
            n_image = n_own if variable.scalar else n_tile
            n_images += n_image + (n_tile // factor**2 if variable.scalar else 0)
            if variable.scalar or factor > 1:
                n_interpolated = max(n_interpolated, n_image)
        in_files += n_images * _FLOAT
        preparing = max(
            preparing,
            n_read * _FLOAT
            + max(
                _READ * min(n_tile, _MOST_READ),
                _LATTICE * n_tile,
                _INTERPOLATED * n_interpolated,
                round(_POINT * n_own * share_known),
            ),
        )
    own = n_samples * _SAMPLE + network_bytes
    return NeededMemory(preparing + _KEPT, own + _KEPT, in_files)


def find_lack_in_training(needed: int | None, available: int | None) -> Iterator[str]:
    """Say it where training takes more memory than may be used, in bytes."""
    remedy = "a smaller batch_size, fewer filters or coarser rasters, or train"
    yield from find_lack("training", needed, available, remedy)
