"""
What a build costs for a tile, side by side with other ways to the same tiles.

For a made-up region of many small outlines and three rasters at 10 and 20 m, deflated as
products are, in one run, each way in a process of its own:

- ginv, ginv 2: `ginv build-dataset` with `--jobs 1` and `--jobs 2`; kept: once more, when
  every tile is there already;
- loop: rasterio's reproject from files that stay open, and write, in one process: no
  records, no checks, no digests;
- gdalwarp: a process for each tile (of some tiles); GDAL: `osgeo.gdal.Warp` in one
  process, if a Python has it (`--gdal-python`);
- torchgeo: its RasterDataset, which reads the same windows and writes nothing, as each
  epoch of a training on the fly does (if it is installed).

All write the same blocks, which just fill small tiles, compressed alike. Prints CPU and
wall seconds with all that the process does from its start, for a tile CPU milliseconds
without the start (of a build of one feature, or of an import), and the peak memory of a
process.

    python -m tests.benchmarks.build [--features 500,2000] [--rounds 3]
    python -m tests.benchmarks.build --huge 20000

With --huge: a build of one feature of that many pixels a side, and its peak memory.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import rasterio
import shapely
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.warp import reproject
from rasterio.windows import Window

from glacier_inversion.geodata.layouts import tile_profile
from glacier_inversion.grid import Grid
from tests import synthetic

FINE, COARSE, BUFFER = 10.0, 20.0, 250.0
RASTERS = {"slope": FINE, "speed": COARSE, "thickness": FINE}
TILE = {"driver": "GTiff", "dtype": "float32", "count": 1, "nodata": float("nan")}
TILE |= {"compress": "deflate", "predictor": 3, "tiled": True}
N_PROCESSES = 50  # tiles that gdalwarp makes, a process each


@dataclass(frozen=True)
class Cost:
    """What a run took: seconds of CPU and of the clock, and MiB at its peak."""

    cpu: float
    wall: float
    peak: float


def cost(command: list[str]) -> Cost:
    """Run a command to its end, with all of its processes."""
    # the peak is the highest of any child so far, hence a process that has only this one
    code = (
        "import json, resource, subprocess, sys, time\n"
        "begin = time.perf_counter()\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "wall = time.perf_counter() - begin\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Cost(*json.loads(done.stdout))


def write_rasters(folder: Path, width: float, height: float) -> None:
    """Write slope and thickness at 10 m, and speed at 20 m, in blocks or rows."""
    shapes = {
        "blocks": {"tiled": True, "blockxsize": 256, "blockysize": 256},
        "rows": {},
    }
    rng = np.random.default_rng(0)
    for name, resolution in RASTERS.items():
        n_rows, n_cols = int(height / resolution), int(width / resolution)
        own = shapes["rows" if name == "speed" else "blocks"]
        profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": -1.0}
        profile |= {"height": n_rows, "width": n_cols, "compress": "deflate", **own}
        profile |= {"predictor": 3, "zlevel": 1, "crs": f"EPSG:{synthetic.EPSG}"}
        # not on the tiles' grid, as products are not
        transform = Affine(resolution, 0, synthetic.LEFT, 0, -resolution, synthetic.TOP)
        with rasterio.open(
            folder / f"{name}.tif", "w", transform=transform, **profile
        ) as dst:
            for row in range(0, n_rows, 256):
                rows = np.arange(row, min(row + 256, n_rows))[:, None]
                values = 20 + 10 * np.sin(rows / 37) * np.cos(np.arange(n_cols) / 53)
                values += rng.normal(0, 0.5, values.shape)
                if name == "thickness":  # a flight line here and there
                    values[:, np.arange(n_cols) % 40 > 3] = -1.0
                window = Window(0, row, n_cols, len(rows))
                dst.write(values.astype("f4"), 1, window=window)


def write_region(root: Path, n_features: int, spacing: float) -> Path:
    """Write data and an experiment: outlines *spacing* apart, in no order."""
    n_cols = int(np.ceil(np.sqrt(n_features * 1.25)))
    n_rows = -(-n_features // n_cols)
    width, height = (n * spacing + 2000 for n in (n_cols, n_rows))
    (root / "data").mkdir(parents=True)
    write_rasters(root / "data", width, height)
    rng = np.random.default_rng(1)
    features = []
    for number in range(n_features):
        row, col = divmod(number, n_cols)
        x = synthetic.LEFT + 1000 + (col + 0.3 + 0.4 * rng.random()) * spacing
        y = synthetic.TOP - 1000 - (row + 0.3 + 0.4 * rng.random()) * spacing
        radius = min(150 * np.exp(rng.normal(0, 0.6)), 0.8 * spacing)
        angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        radii = radius * (1 + 0.3 * np.sin(3 * angles + rng.random() * 6))
        ring = zip(x + radii * np.cos(angles), y + radii * np.sin(angles), strict=True)
        features.append(({"id": f"g{number}"}, shapely.Polygon(ring)))
    return write_experiment(root, [features[i] for i in rng.permutation(n_features)])


def write_experiment(root: Path, features: list) -> Path:
    """Write outlines, and the description of a dataset."""
    synthetic.write_outlines(root / "data/glaciers.shp", features)
    description = {
        "dataset_name": "region",
        "epsg": synthetic.EPSG,
        "shapefile_file": "glaciers.shp",
        "shapefile_fieldname": "id",
        "buffer_distance": BUFFER,
        "rasters": [
            {"name": name, "resolution": r, "file": f"{name}.tif"}
            for name, r in RASTERS.items()
        ],
    }
    raw = {
        "dataset_description": description,
        "drawing_description": {"features": "all", "models": ["none"]},
    }
    return synthetic.write_json(root / "exp.json", raw)


def put_away(path: Path) -> None:
    """
    Move what another run wrote out of the way, to stay until the end.

    ext4 looks long for the inode of a new file where many were removed a minute before.
    """
    if path.exists():
        path.rename(tempfile.mkdtemp(dir=path.parent) + f"/{path.name}")


def build(root: Path, jobs: int, fresh: bool = True) -> Cost:
    """Build by the command."""
    if fresh:
        put_away(root / "datasets")
    command = [sys.executable, "-m", "glacier_inversion", "build-dataset", "-q"]
    command += [str(root / "exp.json"), "--workspace", str(root), "--jobs", str(jobs)]
    return cost(command)


def work_of(root: Path) -> list[tuple[str, str, list[float]]]:
    """Return source, tile and bounds of all tiles, in the order of the outlines."""
    summary = json.loads((root / "datasets/region/summary.json").read_text())
    return [
        (name, f"{row['feature']}/{name}.tif", row["bounds"])
        for row in summary["features"]
        for name in RASTERS
    ]


def blocks_of(bounds: list[float], resolution: float) -> dict[str, int]:
    """Return the blocks that ours have, as options of GDAL."""
    profile = tile_profile(Grid.from_bounds(tuple(bounds), resolution), synthetic.EPSG)
    return {key: profile[key] for key in ("blockxsize", "blockysize")}


def loop(root: Path) -> None:
    """Make all tiles by rasterio alone."""
    crs = CRS.from_epsg(synthetic.EPSG)
    sources = {n: rasterio.open(root / f"data/{n}.tif") for n in RASTERS}
    for name, path, (left, bottom, right, top) in work_of(root):
        r = RASTERS[name]
        tile = np.full(
            (round((top - bottom) / r), round((right - left) / r)), np.nan, "f4"
        )
        transform = Affine(r, 0, left, 0, -r, top)
        reproject(
            rasterio.band(sources[name], 1),
            tile,
            dst_transform=transform,
            dst_crs=crs,
            dst_nodata=np.nan,
            resampling=Resampling.bilinear,
        )
        out = root / "loop" / path
        out.parent.mkdir(parents=True, exist_ok=True)
        shape = {"height": tile.shape[0], "width": tile.shape[1]}
        shape |= blocks_of([left, bottom, right, top], r)
        with rasterio.open(
            out, "w", crs=crs, transform=transform, **shape, **TILE
        ) as dst:
            dst.write(tile, 1)


GDAL_LOOP = """
import json, os, sys
from osgeo import gdal
gdal.UseExceptions()
root, work, resolutions = sys.argv[1], json.load(sys.stdin), json.loads(sys.argv[2])
sources = {name: gdal.Open(f"{root}/data/{name}.tif") for name in resolutions}
for name, path, bounds, blocks in work:
    options = ["COMPRESS=DEFLATE", "PREDICTOR=3", "TILED=YES"]
    options += [f"{key.upper()}={side}" for key, side in blocks.items()]
    out, r = f"{root}/gdal/{path}", resolutions[name]
    os.makedirs(os.path.dirname(out), exist_ok=True)
    gdal.Warp(out, sources[name], outputBounds=bounds, xRes=r, yRes=r, dstNodata="nan",
              resampleAlg="bilinear", errorThreshold=0, creationOptions=options)
"""


def gdal_in_one_process(root: Path, python: str) -> Cost:
    """Make all tiles by GDAL alone, through its own bindings."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        work = [(n, p, b, blocks_of(b, RASTERS[n])) for n, p, b in work_of(root)]
        json.dump(work, file)
        file.flush()
        call = [python, "-c", GDAL_LOOP, str(root), json.dumps(RASTERS)]
        return cost(["sh", "-c", 'exec "$@" < "$0"', file.name, *call])


def gdalwarp(root: Path) -> tuple[Cost, int]:
    """Make some tiles by a process each."""
    work = work_of(root)[:N_PROCESSES]
    lines = []
    for name, path, bounds in work:
        out, r = root / "gdalwarp" / path, str(RASTERS[name])
        out.parent.mkdir(parents=True, exist_ok=True)
        words = ["gdalwarp", "-q", "-overwrite", "-et", "0", "-r", "bilinear"]
        words += ["-te", *map(str, bounds), "-tr", r, r, "-dstnodata", "nan"]
        words += ["-co", "COMPRESS=DEFLATE", "-co", "PREDICTOR=3", "-co", "TILED=YES"]
        for key, side in blocks_of(bounds, RASTERS[name]).items():
            words += ["-co", f"{key.upper()}={side}"]
        lines.append(" ".join([*words, str(root / f"data/{name}.tif"), str(out)]))
    return cost(["sh", "-ec", "\n".join(lines)]), len(work)


def torchgeo(root: Path) -> None:
    """Read all windows as torchgeo does for a training, at the resolution of each."""
    import torch  # noqa: PLC0415
    from torchgeo.datasets import RasterDataset  # noqa: PLC0415

    torch.set_num_threads(1)

    class Raster(RasterDataset):
        """One of them."""

        is_image = False

    datasets = {}
    for name, resolution in RASTERS.items():
        kind = type(name, (Raster,), {"filename_glob": f"{name}.tif"})
        crs = CRS.from_epsg(synthetic.EPSG)
        datasets[name] = kind(root / "data", crs=crs, res=resolution)
    for name, _, (left, bottom, right, top) in work_of(root):
        r = RASTERS[name]
        datasets[name][left:right:r, bottom:top:r]


def has(python: str, module: str) -> bool:
    """Tell whether a Python can import a module."""
    done = subprocess.run(
        [python, "-c", f"import {module}"], check=False, capture_output=True
    )
    return done.returncode == 0


def itself(way: str, root: Path) -> Cost:
    """Run a way of this module in a process of its own."""
    call = ["-m", "tests.benchmarks.build", "--way", way, "--root", str(root)]
    return cost([sys.executable, *call])


def compare(n_features: int, spacing: float, rounds: int, gdal_python: str) -> None:
    """Print the costs of a region."""
    with tempfile.TemporaryDirectory() as folder:
        root, one = Path(folder) / "region", Path(folder) / "one"
        write_region(root, n_features, spacing)
        write_region(one, 1, spacing)
        n_tiles = n_features * len(RASTERS)
        ways: dict[str, Callable[[], Cost]] = {
            "ginv": lambda: build(root, 1),
            "kept": lambda: build(root, 1, fresh=False),
            "ginv 2": lambda: build(root, 2),
            "loop": lambda: itself("loop", root),
        }
        starts = {"ginv": lambda: build(one, 1), "ginv 2": lambda: build(one, 2)}
        starts["kept"] = lambda: build(one, 1, fresh=False)
        starts["loop"] = lambda: itself("loop", one)
        build(one, 1)
        if has(gdal_python, "osgeo.gdal"):
            ways["GDAL"] = lambda: gdal_in_one_process(root, gdal_python)
            starts["GDAL"] = lambda: gdal_in_one_process(one, gdal_python)
        if has(sys.executable, "torchgeo"):
            ways["torchgeo"] = lambda: itself("torchgeo", root)
            starts["torchgeo"] = lambda: itself("torchgeo", one)
        costs: dict[str, list[Cost]] = {way: [] for way in ways}
        begun: dict[str, list[Cost]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, run in ways.items():
                for other in ("loop", "gdal"):
                    put_away(root / other)
                costs[way].append(run())
                begun[way].append(starts[way]())
        print(f"\n{n_features} features, {n_tiles} tiles (medians of {rounds} rounds)")
        print("             CPU s   wall s   CPU ms a tile   peak MiB")
        cpu = {}
        for way, own in costs.items():
            start = median(c.cpu for c in begun[way])
            cpu[way] = (median(c.cpu for c in own) - start) / n_tiles * 1e3
            print(
                f"  {way:<9} {median(c.cpu for c in own):6.1f}   "
                f"{median(c.wall for c in own):6.1f}   {cpu[way]:13.2f}   "
                f"{max(c.peak for c in own):8.0f}"
            )
        if shutil.which("gdalwarp"):
            used, n = gdalwarp(root)
            cpu["gdalwarp"] = used.cpu / n * 1e3
            print(f"  gdalwarp                     {cpu['gdalwarp']:13.2f}")
        gains = [
            a.wall / b.wall for a, b in zip(costs["ginv"], costs["ginv 2"], strict=True)
        ]
        print(
            f"  ginv against the loop: {cpu['ginv'] / cpu['loop']:.2f} of its CPU a tile"
        )
        print(f"  two jobs against one: {median(gains):.2f} times as fast", flush=True)


def huge(n_px: int) -> None:
    """Print the cost of a feature of many pixels."""
    with tempfile.TemporaryDirectory() as folder:
        root, side = Path(folder), n_px * FINE
        (root / "data").mkdir()
        write_rasters(root / "data", side + 2000, side + 2000)
        left, top = synthetic.LEFT + 1000, synthetic.TOP - 1000
        inner = side - 2 * BUFFER - FINE
        outline = shapely.box(left, top - inner, left + inner, top)
        write_experiment(root, [({"id": "huge"}, outline)])
        used = build(root, 1)
        print(
            f"{n_px} x {n_px} pixels: {used.cpu:.0f} s of CPU, {used.wall:.0f} s, "
            f"peak memory {used.peak:.0f} MiB"
        )


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--features", default="500,2000")
    parser.add_argument(
        "--spacings", default="1500,600", help="metres between features"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--gdal-python", default=shutil.which("python3") or sys.executable
    )
    parser.add_argument("--huge", type=int, metavar="PIXELS")
    parser.add_argument("--way", choices=("loop", "torchgeo"), help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        {"loop": loop, "torchgeo": torchgeo}[given.way](given.root)
    elif given.huge:
        huge(given.huge)
    else:
        numbers = map(int, given.features.split(","))
        spacings = map(float, given.spacings.split(","))
        for n, spacing in zip(numbers, spacings, strict=True):
            compare(n, spacing, given.rounds, given.gdal_python)


if __name__ == "__main__":
    main()
