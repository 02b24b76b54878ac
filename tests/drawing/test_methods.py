"""Maps by every method and on every device: the same numbers."""

import csv
import re
import shutil

import numpy as np
import pytest
import torch

from glacier_inversion.training.network.devices import CPU, open_device
from tests.drawing.helpers import draw_by, forget_records, read
from tests.helpers import copy_of
from tests.stand_in_gpu import StandInGpu


def test_every_method_draws_the_same(unpadded):
    "Within rounding, NaN in the same places; what was done is said, and why."
    said, dense = draw_by(unpadded, "dense")
    assert (
        "2 members on cpu, by dense passes, which are exact: no operation pads" in said
    )
    said, patches = draw_by(unpadded, "patches")
    assert "patch by patch, as asked" in said
    said, auto = draw_by(unpadded, "auto")
    assert "by dense passes" in said
    assert np.isfinite(patches[0]).sum() > 200
    for one, other, third in zip(dense, patches, auto, strict=True):
        scale = np.nanmax(np.abs(patches[0]))
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * scale)
        np.testing.assert_allclose(third, other, rtol=0, atol=1e-5 * scale)


def test_coarse_maps_and_profiles_are_dense_too(unpadded, tmp_path):
    "Pixels of every third point; places along a line."
    run = copy_of(unpadded, tmp_path)
    drawn = {}
    for method in ("dense", "patches", "auto"):
        run.raw["drawing_description"] |= {"resolution": 150.0, "profiles": ["along"]}
        run.write()
        _, (mean, _) = draw_by(run, method)
        path = run.root / "drawings/unpadded/profiles/along_thickness.csv"
        with path.open() as file:
            rows = [row["mean"] for row in csv.DictReader(file) if row["mean"]]
        drawn[method] = np.append(mean[np.isfinite(mean)], np.array(rows, dtype=float))
    assert len(drawn["patches"]) > 25
    for method in ("dense", "auto"):
        np.testing.assert_allclose(drawn[method], drawn["patches"], rtol=1e-4)


def test_a_method_that_is_not_exact_is_refused(finished, tmp_path):
    "A padded network draws patch by patch alone; nothing is drawn otherwise."
    run = copy_of(finished, tmp_path)
    assert "patch by patch: inputs.slope[0] pads with zeros" in run("draw").stderr
    shutil.rmtree(run.root / "drawings")
    result = run("draw", "--method", "dense")
    assert result.exit_code == 1
    assert (
        "--method: dense is not exact for the model 'small' (inputs.slope[0] pads"
        in (result.stderr)
    )
    assert not (run.root / "drawings").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("command", ["train", "draw"])
def test_a_gpu_that_is_not_there_is_refused_before_data_are_read(run, command):
    "They need not be there either; auto takes the processor instead."
    result = run(command, "--device", "cuda")
    assert result.exit_code == 2
    assert "finds no GPU for 'cuda'. Must be cpu or auto here" in result.stderr
    assert open_device("auto") is open_device("cpu") is CPU


def draw_on(gpu, run, method):
    """Draw on a GPU; return what the command came to, and the maps."""
    forget_records(run)
    with gpu:
        result = run("draw", "--method", method, "--device", "cuda")
    model = run.raw["model_name"]
    folder = run.root / f"drawings/{model}/south"
    maps = [read(folder / f"thickness_{name}.tif")[0] for name in ("mean", "std")]
    return result, maps


def assert_same_maps(maps, expected):
    """Compare them within a thousandth of the spread of the values."""
    for one, other in zip(maps, expected, strict=True):
        tolerance = 1e-3 * np.nanstd(expected[0])
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@pytest.fixture(scope="session", params=["padded", "partly dense", "dense", "scalar"])
def drawn_on_cpu(request, finished, tmp_path_factory):
    """A workspace with a model after one epoch, and its maps by the processor."""
    run = copy_of(finished, tmp_path_factory.mktemp("kind"))
    network = run.raw["model_description"]
    if request.param != "padded":
        for branch in network["inputs"].values():
            branch["operations"][0]["padding"] = "valid"
    if request.param == "dense":
        pointwise = {"name": "convolution_1", "filter": 6}
        network["main"]["operations"] = [{"name": "concatenation"}, pointwise]
    if request.param == "scalar":
        run.raw["inputs"][1]["scalar"] = True
        del network["inputs"]["speed"]
    run.raw.update(model_name="kind", epochs=1)
    run.raw["drawing_description"]["models"] = ["kind"]
    run.write()
    assert run("train", "--device", "cpu").exit_code == 0
    assert run("draw", "--device", "cpu").exit_code == 0
    folder = run.root / "drawings/kind/south"
    maps = [read(folder / f"thickness_{name}.tif")[0] for name in ("mean", "std")]
    assert np.isfinite(maps[0]).sum() > 200
    return run, maps


METHODS = ["auto", "dense", "patches"]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_drawn_on_a_gpu_never_mixes_devices(drawn_on_cpu, method):
    "Densely, partly so, and by patches: the processor's maps."
    run, expected = drawn_on_cpu
    result, maps = draw_on(StandInGpu(), run, method)
    if method == "dense" and "is not exact" in result.stderr:
        assert "pads with zeros" in result.stderr
        return
    assert result.exit_code == 0
    assert "on cuda (stand-in)" in result.stderr
    assert_same_maps(maps, expected)


@pytest.mark.parametrize("method", ["dense", "patches"])
def test_less_is_drawn_at_once_where_memory_does_not_suffice(
    unpadded, method, monkeypatch
):
    "Blocks and batches become smaller, which is said; the maps stay as they are."
    for name, side in (("_GPU_BLOCK_PX", 64), ("_LEAST_BLOCK_PX", 8)):
        monkeypatch.setattr(f"glacier_inversion.training.network.devices.{name}", side)
    whole = StandInGpu()
    _, expected = draw_on(whole, unpadded, method)
    bounded = StandInGpu(capacity=0.8 * whole.peak)
    result, maps = draw_on(bounded, unpadded, method)
    assert result.exit_code == 0
    assert bounded.n_refused > 0
    assert bounded.peak <= bounded.capacity
    assert "suffice (CUDA out of memory. Tried to allocate" in result.stderr
    assert "given blocks of 32 x 32 points from now on" in result.stderr
    assert_same_maps(maps, expected)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["dense", "patches"])
def test_there_may_be_no_memory_anywhere_in_drawing(unpadded, method, monkeypatch):
    "For weights, inputs, results, and all between them; members are not mixed up."
    monkeypatch.setattr("glacier_inversion.training.network.devices._GPU_BLOCK_PX", 64)
    whole = StandInGpu()
    _, expected = draw_on(whole, unpadded, method)
    assert whole.n_made > 40
    places = {*range(1, 30), *range(30, whole.n_made, 23), whole.n_made}
    for place in sorted(places):
        gpu = StandInGpu(fail_at=place)
        result, maps = draw_on(gpu, unpadded, method)
        assert (result.exit_code, gpu.n_refused) == (0, 1), result.stderr
        assert_same_maps(maps, expected)


def test_memory_that_holds_not_even_a_small_block_is_a_message(unpadded, tmp_path):
    "One, with what to do; the maps that were there stay."
    run = copy_of(unpadded, tmp_path)
    assert run("draw", "--device", "cpu").exit_code == 0
    before = read(run.root / "drawings/unpadded/south/thickness_mean.tif")[0]
    result, maps = draw_on(StandInGpu(capacity=3000), run, "auto")
    assert result.exit_code == 2
    last = result.stderr.strip().splitlines()[-1]
    assert re.fullmatch(
        r"Error: --device: the GPU's memory does not suffice \(CUDA out of memory\. "
        r"Tried to allocate \d+ bytes\)\. Must hold a block of 32 x 32 points\. Stop "
        r"what else it computes, or say --device cpu\.",
        last,
    )
    np.testing.assert_array_equal(maps[0], before)
    assert not list(run.root.rglob("*.part*"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("method", ["dense", "patches"])
def test_a_gpu_draws_the_same(unpadded, method):
    "Within a thousandth of the spread of the values."
    maps = {}
    for device in ("cpu", "cuda"):
        assert unpadded("draw", "--method", method, "--device", device).exit_code == 0
        folder = unpadded.root / "drawings/unpadded/south"
        maps[device] = read(folder / "thickness_mean.tif")[0]
    tolerance = 1e-3 * np.nanstd(maps["cpu"])
    np.testing.assert_allclose(maps["cuda"], maps["cpu"], rtol=0, atol=tolerance)


def test_more_weights_than_memory_is_given_to_are_streamed(
    unpadded, tmp_path, monkeypatch
):
    "One member at a time gives the same maps."
    run = copy_of(unpadded, tmp_path)
    _, before = draw_by(run, "auto")
    monkeypatch.setattr("glacier_inversion.training.model.ensemble.MOST_WEIGHTS", 1)
    _, after = draw_by(run, "auto")
    np.testing.assert_array_equal(before, after)
