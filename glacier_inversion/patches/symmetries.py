"""The eight symmetries of a square: turned patches, crops, points and vectors."""

from __future__ import annotations

import functools

import torch

from glacier_inversion.experiment.sections import Augmentation

# The 8 symmetries of a square: (quarter turns anticlockwise, then mirrored left-right).
TURNS = tuple((quarters, mirror) for mirror in (False, True) for quarters in range(4))


def _patch_pixels(
    n_px: int, stride: int, turns: torch.Tensor | None, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the offsets of a patch's pixels, per sample where there are turns."""
    rows, cols = _every_turn(n_px, stride, device)
    if turns is None:
        return rows[0], cols[0]
    return rows[turns], cols[turns]


@functools.lru_cache(maxsize=64)
def _every_turn(
    n_px: int, stride: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the offsets of a patch's pixels for each of the 8 `TURNS`."""
    line = torch.arange(n_px, device=device) * stride
    rows, cols = torch.meshgrid(line, line, indexing="ij")
    return (
        torch.stack([_turned(rows, turn) for turn in TURNS]),
        torch.stack([_turned(cols, turn) for turn in TURNS]),
    )


def _turned(image: torch.Tensor, turn: tuple[int, bool]) -> torch.Tensor:
    quarters, mirror = turn
    image = torch.rot90(image, quarters)
    return image.flip(1) if mirror else image


def turn_points(
    row: torch.Tensor, col: torch.Tensor, turns: torch.Tensor, n_points: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Return where points of crops come to lie when the crops are turned.

    A quarter turn anticlockwise takes (row, col) to (n_points - 1 - col, row).

    >>> turns = torch.tensor([0, 1, 4])
    >>> turn_points(torch.tensor([0, 0, 0]), torch.tensor([2, 2, 2]), turns, 10)
    (tensor([0, 7, 0]), tensor([2, 0, 7]))
    """
    last = n_points - 1
    rows = torch.stack([row, last - col, last - row, col] * 2)
    cols = torch.stack([col, row, last - col, last - row] * 2)
    cols[4:] = last - cols[4:]
    return (
        rows.gather(0, turns[None])[0],
        cols.gather(0, turns[None])[0],
    )


def turn_vectors(
    batch: dict[str, torch.Tensor],
    vectors: list[list[str]],
    turns: torch.Tensor,
) -> None:
    """
    Turn the components of vectors with their images, in place.

    A quarter turn anticlockwise takes (east, north) to (-north, east); the mirror
    changes the sign of east.
    """
    cosines, sines = [1.0, 0.0, -1.0, 0.0] * 2, [0.0, 1.0, 0.0, -1.0] * 2
    signs = [1.0] * 4 + [-1.0] * 4
    cosine, sine, sign = torch.tensor([cosines, sines, signs], device=turns.device)[
        :, turns
    ]
    for east_name, north_name in vectors:
        east, north = batch[east_name], batch[north_name]
        shape = (-1,) + (1,) * (east.ndim - 1)
        c, s, m = cosine.view(shape), sine.view(shape), sign.view(shape)
        batch[east_name] = m * (c * east - s * north)
        batch[north_name] = s * east + c * north


def allowed_turns(augmentation: Augmentation | None) -> torch.Tensor | None:
    """
    Return the numbers of the `TURNS` that an augmentation draws from.

    >>> allowed_turns(Augmentation(rotations=True)).tolist()
    [0, 1, 2, 3]
    >>> allowed_turns(Augmentation(flips=True)).tolist()
    [0, 2, 4, 6]
    """
    if augmentation is None or not (augmentation.flips or augmentation.rotations):
        return None
    if augmentation.flips and augmentation.rotations:
        return torch.arange(8)
    # mirrors alone: left-right, up-down (a half turn and left-right), and both
    return torch.arange(4) if augmentation.rotations else torch.arange(0, 8, 2)
