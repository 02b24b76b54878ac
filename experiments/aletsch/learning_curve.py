"""
Measure how errors grow where radar is sparse, and what another dataset mends.

    python experiments/aletsch/learning_curve.py --workspace WORKSPACE FILE

The known pixels of the first output are thinned to a share at most, by whole tracks;
tracks that are longer than the share are never drawn. Each feature that has known
pixels is predicted by networks that were trained on what is left in all others, and is
judged by all of its known pixels. Where the file has `extra_training`, both without it
and with it; build that dataset before.

Several draws of tracks are made of each share below 1. The table has their mean RMSE,
and the least and the greatest. The thinned data are written into the workspace's data/,
and a dataset and a model beside those of the file, all of them named as the file, with
_thinned behind.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import sys
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.features import rasterize, shapes

import glacier_inversion as ginv
from glacier_inversion.experiment.experiment import parse_experiment

Labels = NDArray[np.int32]


def find_tracks(known: NDArray[np.bool_], feature_at: Labels) -> Labels:
    """
    Give a number to each track: known pixels of a feature that touch, corners too.

    Parameters
    ----------
    known : bool array, shape (n_rows, n_cols)
    feature_at : int32 array, same shape
        The feature's number, 0 outside.

    Returns
    -------
    tracks : int32 array, same shape, from 1 on; 0 where there is none
    """
    values = np.where(known, feature_at, 0).astype(np.int32)
    found = shapes(values, mask=values > 0, connectivity=8)
    numbered = [(shape, i) for i, (shape, _) in enumerate(found, 1)]
    tracks: Labels = rasterize(numbered, known.shape, dtype=np.int32)
    return tracks


def draw_tracks(tracks: Labels, share: float, seed: int) -> NDArray[np.bool_]:
    """Return where whole tracks were drawn that have at most a share of all pixels."""
    n_pixels = np.bincount(tracks.ravel())[1:]
    left = share * n_pixels.sum()
    drawn = []
    for track in np.random.default_rng(seed).permutation(n_pixels.size):
        if n_pixels[track] <= left:
            drawn.append(track + 1)
            left -= n_pixels[track]
    return np.isin(tracks, drawn)


def read_values(
    path: Path, raster: dict[str, Any]
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Return a profile to write a raster's values with, and these, NaN if unknown."""
    band, nodata = raster.get("band") or 1, raster.get("nodata")
    with rasterio.open(path) as src:
        profile = {"crs": src.crs, "transform": src.transform}
        stored = src.read(band, masked=True)
        if nodata is not None:
            named = np.asarray(nodata, stored.dtype)
            stored = np.ma.masked_where(np.isin(stored.data, named), stored)
        scale, offset = src.scales[band - 1], src.offsets[band - 1]
    values = (stored.astype("f8") * scale + offset).astype("f4").filled(np.nan)
    height, width = values.shape
    profile |= {"height": height, "width": width, "count": 1, "dtype": "float32"}
    return profile | {"driver": "GTiff"}, values


class Curve:
    """
    An experiment whose known pixels are thinned, and which is trained again and again.

    Attributes
    ----------
    features : list of str
        As the outlines have them.
    tracks : int32 array, shape (n_rows, n_cols) of the raster
    output : str
    mixed_in : str or None
        The dataset of `extra_training`.
    """

    def __init__(self, file: Path, workspace: Path) -> None:
        text = file.read_text(encoding="utf-8")
        extra = parse_experiment(text, str(file)).extra_training
        self.mixed_in = extra.dataset if extra else None
        self._raw: dict[str, Any] = json.loads(text)
        self._name = f"{file.stem}_thinned"
        self._workspace = ginv.Workspace(workspace)
        described = self._raw["dataset_description"]
        self.output = self._raw["outputs"][0]["name"]
        (raster,) = (r for r in described["rasters"] if r["name"] == self.output)
        if "file" not in raster or "column" in raster:
            sys.exit(f"{file}: {self.output} is no raster file, and cannot be thinned.")
        self._profile, self._values = read_values(
            self._workspace.data(raster["file"]), raster
        )
        outlines = geopandas.read_file(
            self._workspace.data(described["shapefile_file"])
        ).to_crs(self._profile["crs"])
        self._feature_at: Labels = rasterize(
            zip(outlines.geometry, range(1, len(outlines) + 1), strict=True),
            self._values.shape,
            transform=self._profile["transform"],
            dtype=np.int32,
        )
        self._outlines = outlines
        self.features = list(outlines[described["shapefile_fieldname"]])
        self.tracks = find_tracks(np.isfinite(self._values), self._feature_at)

    def measure(self, left: NDArray[np.bool_], *, mixed: bool) -> float:
        """Leave out each feature in turn; return the RMSE of all known pixels."""
        squares, n = 0.0, 0
        for number, feature in enumerate(self.features, 1):
            if not self.tracks[self._feature_at == number].any():
                continue
            seen = left | (self._feature_at == number)
            experiment = self._without(number, seen, mixed=mixed)
            ginv.build_dataset(experiment, self._workspace)
            ginv.train(experiment, self._workspace, overwrite=True, jobs=None)
            metrics = ginv.evaluate(experiment, self._workspace).metrics
            scores = metrics["outputs"][self.output]["ensemble"]
            squares += scores["n"] * scores["rmse"] ** 2
            n += scores["n"]
            print(f"{feature}: {scores['rmse']:.1f}", file=sys.stderr, flush=True)
        return float(np.sqrt(squares / n))

    def _without(
        self, number: int, seen: NDArray[np.bool_], *, mixed: bool
    ) -> ginv.Experiment:
        """Write data without a feature; return the experiment on them."""
        name = self._name
        path = self._workspace.data(f"{name}.tif")
        with rasterio.open(path, "w", **self._profile) as dst:
            dst.write(np.where(seen, self._values, np.nan), 1)
        others = np.arange(1, len(self.features) + 1) != number
        outlines = self._outlines.assign(thinned=np.where(others, 0, 2))
        outlines.to_file(self._workspace.data(f"{name}.gpkg"), driver="GPKG")
        raw = copy.deepcopy(self._raw)
        described = raw["dataset_description"]
        described |= {"dataset_name": name, "shapefile_file": f"{name}.gpkg"}
        described["split"] = {"field": "thinned"}
        for raster in described["rasters"]:
            if raster["name"] == self.output:
                raster |= {"file": f"{name}.tif", "band": 1, "nodata": None}
        raw["model_name"] = name
        raw["drawing_description"]["models"] = [name]
        if not mixed:
            raw.pop("extra_training", None)
        return parse_experiment(json.dumps(raw), name)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--workspace", type=Path, default=Path())
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.25, 1.0])
    parser.add_argument("--draws", type=int, default=5)
    given = parser.parse_args()
    logging.getLogger("glacier_inversion").setLevel(logging.ERROR)
    try:
        measure(Curve(given.file, given.workspace), given.shares, given.draws)
    except ginv.GlacierInversionError as error:
        sys.exit(str(error))


def measure(curve: Curve, shares: list[float], n_draws: int) -> None:
    """Print a row for each share, without and with what is mixed in."""
    print(f"{'share':>6}{'pixels':>8}   {'mixed in':16}   RMSE  least   most")
    for share in shares:
        draws = [
            draw_tracks(curve.tracks, share, seed)
            for seed in range(n_draws if share < 1 else 1)
        ]
        n = np.mean([left.sum() for left in draws])
        for mixed_in in dict.fromkeys(("nothing", curve.mixed_in or "nothing")):
            mixed = mixed_in != "nothing"
            rmse = [curve.measure(left, mixed=mixed) for left in draws]
            row = f"{share:6.2f}{n:8.0f}   {mixed_in:16}{np.mean(rmse):7.1f}"
            print(f"{row}{min(rmse):7.1f}{max(rmse):7.1f}", flush=True)


if __name__ == "__main__":
    main()
