"""
Compare drawn ice thickness with radar that never entered training.

    python evaluate.py WORKSPACE [MODEL]

prints RMSE, MAE and bias (drawn minus measured) in metres at the radar pixels of the
test features, and those of the constant mean of the training features' radar. MODEL is
aletsch unless you name another. Maps are read bilinearly at the centres of the radar's
pixels.
"""

import sys
from pathlib import Path

import geopandas
import numpy as np
import shapely

from glacier_inversion.geodata.geotiffs import read_grid, read_tile
from glacier_inversion.patches.interpolation import read_at

OUTPUT = "ice_thickness"


def main(workspace: Path, model: str = "aletsch") -> None:
    """Print one line per test feature and one for all."""
    outlines = geopandas.read_file(workspace / "data" / "outlines.shp")
    path = workspace / "data" / f"{OUTPUT}.tif"
    radar = read_tile(path)
    x, y = (place[np.isfinite(radar)] for place in read_grid(path).centres())
    radar = radar[np.isfinite(radar)]
    trained = shapely.contains_xy(outlines[outlines.train == 0].union_all(), x, y)
    errors, constants = [], []
    print(f"{'metres':<16}{'n':>5}  {'RMSE':>6} {'MAE':>6} {'bias':>6}   constant RMSE")
    for _, feature in outlines[outlines.train == 2].iterrows():
        inside = shapely.contains_xy(feature.geometry, x, y)
        path = workspace / "drawings" / model / feature["name"] / f"{OUTPUT}_mean.tif"
        drawn = read_at(read_tile(path), read_grid(path), x[inside], y[inside])
        error = drawn - radar[inside]
        constant = radar[trained].mean() - radar[inside]
        print_row(feature["name"], error, constant)
        errors.append(error)
        constants.append(constant)
    print_row("all", np.concatenate(errors), np.concatenate(constants))


def print_row(name: str, error: np.ndarray, constant: np.ndarray) -> None:
    """Print the scores of one set of radar pixels, of those that were drawn."""
    drawn = np.isfinite(error)
    error, constant = error[drawn], constant[drawn]
    rmse, mae = np.sqrt(np.square(error).mean()), np.abs(error).mean()
    print(
        f"{name:<16}{len(error):>5}  {rmse:6.1f} {mae:6.1f} {error.mean():6.1f}"
        f"   {np.sqrt(np.square(constant).mean()):6.1f}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
