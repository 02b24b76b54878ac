"""What a check finds: the report, and its parts as `ginv check --json` prints them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

FileStatus = Literal["found", "unusable", "missing"]


@dataclass(frozen=True)
class OutlinesReport:
    """The file of the outlines; what is not known is None, here and below."""

    file: str
    status: FileStatus
    crs: str | None
    column: str | None
    features: int | None
    repaired: int | None


@dataclass(frozen=True)
class SplitsReport:
    """How many features train, validate, test and are only drawn."""

    train: int | None
    validation: int | None
    test: int | None
    drawn_only: int | None


@dataclass(frozen=True)
class RasterReport:
    """
    A raster: what the experiment says of it, the file, and the features.

    Attributes
    ----------
    file : str, None where it is derived
    status : {"found", "unusable", "missing"}
        Of the file, or of the worst of the files that it is derived from.
    role : {"input", "output", "surface"}
        To the network, or of the bed; None where it is none of these.
    band : int, None where it is derived, or gridded from points
    points : dict of int
        Where the file holds points: what became of its rows, as
        `dataset.point_targets.PointTargets.counts` has it.
    derive : dict
        How it is derived, as the experiment has it; then nothing is said of a file.
    resolution : float
        Of the tiles, CRS units.
    pixel_size : float
        Of the file, metres.
    nodata : list
        What means no data in the file; text where JSON has no number for it.
    valid_min, valid_median : float
        Over the features that were read, of the share of valid pixels in the outline.
    not_covered : list of str
        The features whose tile the file does not cover wholly.
    """

    name: str
    file: str | None
    status: FileStatus
    role: Literal["input", "output", "surface"] | None
    band: int | None
    resolution: float
    derive: dict[str, Any] | None = None
    crs: str | None = None
    pixel_size: float | None = None
    n_rows: int | None = None
    n_cols: int | None = None
    resampling: str | None = None
    nodata: list[float | str] | None = None
    unit: str | None = None
    valid_min: float | None = None
    valid_median: float | None = None
    not_covered: list[str] | None = None
    points: dict[str, int] | None = None


@dataclass(frozen=True)
class LeaksReport:
    """
    Where features of different splits meet.

    Attributes
    ----------
    overlaps : list of dict
        Tiles, as `dataset.splits.find_overlaps` returns them.
    shared_outlines : list of dict
        Outlines, as `dataset.splits.find_shared_areas` returns them.
    """

    overlaps: list[dict[str, Any]]
    shared_outlines: list[dict[str, Any]]


@dataclass(frozen=True)
class SamplesReport:
    """
    The samples of an epoch.

    Attributes
    ----------
    spacing : float
        Side of the cells that give one sample each, CRS units.
    train, validation : int
    points : dict of int
        Points that may be samples, of the same two splits.
    mixed_in : int
        Samples of the dataset of extra_training, besides.
    exact : bool
        Whether every feature was read; else the numbers are estimates.
    """

    spacing: float
    train: int | None
    validation: int | None
    points: dict[str, int | None]
    batch_size: int
    steps_per_epoch: int | None
    exact: bool
    features_read: int
    mixed_in: int | None = 0


@dataclass(frozen=True)
class FeatureReport:
    """
    A feature.

    Attributes
    ----------
    split : {"train", "validation", "test"}, None where it is only drawn
    coverage : dict of float
        Share of the tile that the extent of each raster's file covers.
    read : {"exactly", "coarsely"}
    valid, valid_in_tile : dict of float
        Share of valid pixels in the outline and in the tile, by raster.
    known_pixels : dict of int
        By output.
    samples : int
        Of an epoch.
    """

    id: str
    split: str | None
    area_km2: float
    coverage: dict[str, float]
    read: Literal["exactly", "coarsely"] | None = None
    valid: dict[str, float] | None = None
    valid_in_tile: dict[str, float] | None = None
    known_pixels: dict[str, int] | None = None
    samples: int | None = None


@dataclass(frozen=True)
class OperationReport:
    """
    A row of the network's table.

    Attributes
    ----------
    shape : list
        Of what comes out for one sample; a list of shapes where several tensors do.
    """

    name: str
    shape: list[Any]
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class NetworkReport:
    """The network; multiply-adds are those of one patch."""

    architecture: str
    parameters: int | None
    multiply_adds: int | None
    operations: list[OperationReport]


@dataclass(frozen=True)
class TrainingCost:
    """
    What training will take, roughly: seconds and bytes on this machine.

    Of `memory_bytes` the system may take back what is mapped from files, which take
    `file_bytes` of the disk: it works with `least_memory_bytes`.
    """

    seeds: int
    epochs: int
    seconds_per_sample: float | None = None
    seconds_per_epoch: float | None = None
    seconds: float | None = None
    network_bytes: int | None = None
    memory_bytes: int | None = None
    least_memory_bytes: int | None = None
    file_bytes: int | None = None


@dataclass(frozen=True)
class DrawingCost:
    """What drawing will take, roughly: seconds and bytes on this machine."""

    features: int | None
    pixels: int | None
    seconds_per_pixel: float | None = None
    seconds: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class CheckReport:
    """
    All that can be said of an experiment before work starts.

    Attributes
    ----------
    problems, warnings : list of str
        What would stop a command, and what it would warn of, in that command's words.
    samples, network, train
        None where trained models are applied: nothing is trained then.
    """

    problems: list[str]
    warnings: list[str]
    outlines: OutlinesReport
    splits: SplitsReport
    rasters: list[RasterReport]
    leaks: LeaksReport
    samples: SamplesReport | None
    features: list[FeatureReport]
    network: NetworkReport | None
    train: TrainingCost | None
    draw: DrawingCost

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold, None where something is not known."""
        return asdict(self)
