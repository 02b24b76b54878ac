"""A region of many features, as if they had been drawn and cross-validated."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import rasterio
import shapely
from rasterio.transform import Affine

from glacier_inversion import Workspace, load_experiment, report
from glacier_inversion.drawing.mosaics import write_mosaics
from glacier_inversion.drawing.styles import ranges_of
from glacier_inversion.geodata.rasterizing import inside
from glacier_inversion.geodata.vectors import to_geopackage
from glacier_inversion.grid import Grid
from tests import synthetic
from tests.helpers import Run, copy_of

SPACING, RESOLUTION = 4000.0, 50.0
N_ANGLES, N_POINTS = 240, 60  # corners of an outline, known pixels of a feature


def write_region(finished: Run, root: Path, n_features: int) -> Path:
    """
    Write what a report reads of so many features, and the report; return its path.

    The model is that of the finished workspace; maps and errors are made up.
    """
    run = copy_of(finished, root)
    rng = np.random.default_rng(0)
    names = [f"glacier-{i:04d}" for i in range(n_features)]
    side = int(np.ceil(np.sqrt(n_features)))
    outlines = {
        name: _outline(
            rng,
            synthetic.LEFT + SPACING * (i % side + 0.5),
            synthetic.TOP - SPACING * (i // side + 0.5),
        )
        for i, name in enumerate(names)
    }
    grids = {name: _grid(outline) for name, outline in outlines.items()}
    _write_dataset(run, outlines, grids)
    maps = _write_maps(run.root / "drawings/small", outlines, grids)
    ranges = ranges_of(maps, {})
    write_mosaics(run.root / "drawings/small", maps, ranges, list(grids.values()))
    _write_evaluation(run, rng, outlines)
    workspace = Workspace(run.root)
    (page,) = report(load_experiment(run.file), workspace).written
    return page


def _outline(rng: np.random.Generator, x: float, y: float) -> shapely.Polygon:
    """Return a wobbly outline of many corners."""
    angle = np.linspace(0, 2 * np.pi, N_ANGLES, endpoint=False)
    wobble = 1 + 0.3 * np.sin(3 * angle + rng.uniform(0, 6))
    radius = rng.uniform(300, 1400) * wobble * rng.uniform(0.97, 1.03, N_ANGLES)
    return shapely.Polygon(
        np.column_stack([x + radius * np.cos(angle), y + radius * np.sin(angle)])
    )


def _grid(outline: shapely.Polygon) -> Grid:
    left, bottom, right, top = outline.bounds
    low, high = np.floor, np.ceil
    bounds = low(left / 50), low(bottom / 50), high(right / 50), high(top / 50)
    return Grid.from_bounds(tuple(50.0 * value for value in bounds), RESOLUTION)


def _write_dataset(run, outlines, grids) -> None:
    folder = run.root / "datasets/region"
    summary = json.loads((folder / "summary.json").read_text())
    first = summary["features"][0]
    summary["features"] = [
        {
            **first,
            "feature": name,
            "bounds": list(grids[name].bounds),
            "area_km2": round(outline.area / 1e6, 3),
        }
        for name, outline in outlines.items()
    ]
    del summary["sha256"]
    (folder / "summary.json").write_text(json.dumps(summary))
    table = geopandas.GeoDataFrame(
        {"feature": [*outlines]}, geometry=[*outlines.values()], crs=synthetic.EPSG
    )
    (folder / "outlines.gpkg").write_bytes(to_geopackage(table, "outlines"))


def _write_maps(folder: Path, outlines, grids) -> dict:
    maps: dict = {}
    for name, grid in grids.items():
        within = inside([outlines[name]], grid)
        cols, rows = np.meshgrid(np.arange(grid.n_cols), np.arange(grid.n_rows))
        values = 100 + 80 * np.sin(cols / 9) * np.cos(rows / 7)
        values = np.where(within, values, np.nan).astype("f4")
        for statistic, of in (("mean", values), ("std", values / 10)):
            path = folder / name / f"thickness_{statistic}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            left, _, _, top = grid.bounds
            with rasterio.open(
                path,
                "w",
                driver="GTiff",
                count=1,
                dtype="float32",
                height=grid.n_rows,
                width=grid.n_cols,
                crs=f"EPSG:{synthetic.EPSG}",
                nodata=np.nan,
                transform=Affine(RESOLUTION, 0, left, 0, -RESOLUTION, top),
            ) as dst:
                dst.write(of, 1)
                dst.units = ("m",)
                dst.update_tags(
                    1,
                    STATISTICS_MINIMUM=float(np.nanmin(of)),
                    STATISTICS_MAXIMUM=float(np.nanmax(of)),
                    STATISTICS_MEAN=float(np.nanmean(of)),
                )
            maps.setdefault(("thickness", statistic), []).append(path)
    return maps


def _write_evaluation(run, rng, outlines) -> None:
    names = [*outlines]
    tables, features = [], []
    for name, outline in outlines.items():
        x, y = np.array(outline.centroid.coords[0])
        x = x + np.arange(N_POINTS) % 10 * RESOLUTION
        y = y + np.arange(N_POINTS) // 10 * RESOLUTION
        observed = rng.uniform(20, 300, N_POINTS)
        residual = rng.normal(rng.normal(0, 10), 30, N_POINTS)
        table = pd.DataFrame(
            {
                "output": "thickness",
                "feature": name,
                "observed": observed,
                "mean": observed + residual,
                "std": 10.0,
                "residual": residual,
            }
        )
        tables.append(
            geopandas.GeoDataFrame(
                table, geometry=geopandas.points_from_xy(x, y), crs=synthetic.EPSG
            )
        )
        rmse = float(np.sqrt((residual**2).mean()))
        bias = float(residual.mean())
        features.append({"feature": name, "n": N_POINTS, "rmse": rmse, "bias": bias})
    folder = run.root / "evaluations/small/crossval"
    folder.mkdir(parents=True)
    points = pd.concat(tables, ignore_index=True)
    (folder / "residuals.gpkg").write_bytes(to_geopackage(points, "residuals"))
    errors = points["residual"].to_numpy()
    ensemble = {
        "method": "ensemble",
        "n": len(errors),
        "rmse": float(np.sqrt((errors**2).mean())),
        "bias": float(errors.mean()),
        "features": features,
    }
    scores = {
        "kind": "regression",
        "unit": "m",
        "n_known": len(errors),
        "n_predicted": len(errors),
        "n_features": len(names),
        "ensemble": ensemble,
    }
    metrics = {
        "format": 1,
        "split": "crossval",
        "features": names,
        "seeds": [0, 1],
        "software": "made up",
        "outputs": {"thickness": scores},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
