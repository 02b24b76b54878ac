"""
Compare drawn ice thickness with radar that never entered training.

    python evaluate.py WORKSPACE [MODEL]

prints RMSE, MAE and bias (drawn minus measured) in metres at the radar pixels of the
test features, and those of the constant mean of the training features' radar. MODEL is
aletsch unless you name another.
"""

import sys
from pathlib import Path

import geopandas
import numpy as np
import rasterio
import shapely

OUTPUT = "ice_thickness"


def main(workspace: Path, model: str = "aletsch") -> None:
    """Print one line per test feature and one for all."""
    outlines = geopandas.read_file(workspace / "data" / "outlines.shp")
    with rasterio.open(workspace / "data" / f"{OUTPUT}.tif") as src:
        radar = src.read(1)
        row, col = np.nonzero(np.isfinite(radar))
        x, y = src.transform * (col + 0.5, row + 0.5)
    radar = radar[row, col]
    trained = shapely.contains_xy(outlines[outlines.train == 0].union_all(), x, y)
    errors, constants = [], []
    print(f"{'metres':<16}{'n':>5}  {'RMSE':>6} {'MAE':>6} {'bias':>6}   constant RMSE")
    for _, feature in outlines[outlines.train == 2].iterrows():
        inside = shapely.contains_xy(feature.geometry, x, y)
        path = workspace / "drawings" / model / feature["name"] / f"{OUTPUT}_mean.tif"
        with rasterio.open(path) as src:
            drawn = src.read(1, masked=True).filled(np.nan)
            i, j = rasterio.transform.rowcol(src.transform, x[inside], y[inside])
        error = drawn[i, j] - radar[inside]
        constant = radar[trained].mean() - radar[inside]
        print_row(feature["name"], error, constant)
        errors.append(error)
        constants.append(constant)
    print_row("all", np.concatenate(errors), np.concatenate(constants))


def print_row(name: str, error: np.ndarray, constant: np.ndarray) -> None:
    """Print the scores of one set of radar pixels."""
    rmse, mae = np.sqrt(np.square(error).mean()), np.abs(error).mean()
    print(
        f"{name:<16}{len(error):>5}  {rmse:6.1f} {mae:6.1f} {error.mean():6.1f}"
        f"   {np.sqrt(np.square(constant).mean()):6.1f}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
