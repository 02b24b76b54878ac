"""
Maps of 20,000 x 20,000 pixels with sparse outlines: time by pixels inside, and memory.

Outlines of 25, 100 and 400 strips, 5 to 65 pixels wide, are drawn by a dense pass with two
members. Prints the pixels inside, the seconds for a million of them, and the peak memory
of the command in a process of its own. Building the tiles takes minutes.

    python -m tests.benchmarks.large
"""

import copy
import logging
import shutil
import tempfile
from pathlib import Path

import numpy as np
import rasterio
import shapely
from rasterio.windows import Window
from shapely import affinity

from glacier_inversion.dataset.build import build_dataset
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.drawing.draw import draw
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.benchmarks.draw import FINE, describe, peak_memory, seconds, write_members

N_PX, MARGIN, STRIPS, MEMBERS = 20_000, 60, (25, 100, 400), 2


def strips(n: int) -> shapely.Geometry:
    """Return strips in all directions, with something in two corners."""
    rng = np.random.default_rng(n)
    parts = [shapely.box(0, 0, 5, 5), shapely.box(N_PX - 5, N_PX - 5, N_PX, N_PX)]
    for _ in range(n):
        (x, y), length, width = rng.random(2) * N_PX, 200 + rng.random() * 3000, 5
        strip = shapely.box(x, y, x + length, y + width + rng.random() * 60)
        parts.append(affinity.rotate(strip, rng.random() * 180))
    outline = shapely.union_all(parts) & shapely.box(0, 0, N_PX, N_PX)
    left, top = synthetic.LEFT + MARGIN * FINE, synthetic.TOP - MARGIN * FINE
    return affinity.affine_transform(outline, [FINE, 0, 0, -FINE, left, top])


def write_rasters(folder: Path) -> None:
    """Write rasters of one repeated block, which is quickly done."""
    n = N_PX + 2 * MARGIN
    row, col = np.ogrid[:512, :512]
    values = (20 + 10 * np.sin(row / 37) * np.cos(col / 53)).round(1).astype("f4")
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "tiled": True}
    profile |= {"height": n, "width": n, "crs": f"EPSG:{synthetic.EPSG}"}
    profile |= {"blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    transform = rasterio.Affine(FINE, 0, synthetic.LEFT, 0, -FINE, synthetic.TOP)
    for name in ("slope", "speed", "thickness"):
        path = folder / f"{name}.tif"
        with rasterio.open(path, "w", transform=transform, **profile) as dst:
            for r in range(0, n, 512):
                for c in range(0, n, 512):
                    part = values[: n - r, : n - c]
                    dst.write(part, 1, window=Window(c, r, *part.shape[::-1]))


def main() -> None:
    """Print a line for each outline."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "data").mkdir()
        write_rasters(root / "data")
        outlines = {n: strips(n) for n in STRIPS}
        features = [({"id": str(n)}, outline) for n, outline in outlines.items()]
        synthetic.write_outlines(root / "data/glaciers.shp", features)
        raw = describe("valid resnet", list(STRIPS))
        experiment = check_experiment(raw, "benchmark")
        build_dataset(experiment, Workspace(root))
        dataset = open_dataset(experiment, Workspace(root))
        write_members(experiment, dataset, root, MEMBERS)
        for n, outline in outlines.items():
            one = copy.deepcopy(raw)
            one["drawing_description"]["features"] = [str(n)]
            drawn = check_experiment(one, "benchmark")
            shutil.rmtree(root / "drawings", ignore_errors=True)  # else it is kept
            taken = seconds(lambda drawn=drawn: draw(drawn, Workspace(root)))
            inside = outline.area / FINE**2 / 1e6
            print(
                f"{inside:5.1f} million pixels inside: {taken / inside:.1f} s for a "
                f"million, peak memory {peak_memory(raw, root, n)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
