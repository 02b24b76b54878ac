"""Sources of inputs that are others than in training are named, each once."""

from dataclasses import replace

import pytest

from glacier_inversion.drawing.other_sources import find_other_sources
from glacier_inversion.experiment.sections import DatasetDescription
from glacier_inversion.training.model.model import read_model
from tests import synthetic


def file_of(name, file, **more):
    """Return the entry of a raster of a file."""
    return {"name": name, "resolution": 50.0, "file": file} | more


def made_of(name, derivation, of, **more):
    """Return the entry of a raster that is derived of others."""
    derive = {"name": derivation, "of": of} | more
    return {"name": name, "resolution": 50.0, "derive": derive}


@pytest.fixture
def compare(finished):
    """Compare what was trained on some rasters, and applied to others."""
    model = read_model(finished.root / "models" / "small")

    def describe(rasters, vectors):
        raw = synthetic.experiment()["dataset_description"]
        raw |= {"rasters": rasters, "vectors": vectors}
        return DatasetDescription.model_validate(raw)

    def compared(then, now, vectors=((), ()), units_then=(), units=()):
        of_training, here = map(describe, (then, now), map(list, vectors))
        change = {"dataset_description": of_training}
        trained = model.experiment.model_copy(update=change)
        applied = replace(model, experiment=trained, units=dict(units_then))
        return [
            warning.removeprefix("small: differs from training: ")
            for warning in find_other_sources("small", applied, here, dict(units))
        ]

    return compared


SPEED = file_of("speed", "speed.tif")
SLOPE = made_of("slope", "slope", "dem")


def test_what_is_as_it_was_is_not_told_of(compare):
    "Whatever the rasters are called that inputs are derived from."
    then = [SPEED, SLOPE, file_of("dem", "dem.tif", resampling="average")]
    assert compare(then, then) == []
    other = file_of("surface", "dem.tif", resampling="average")
    now = [SPEED, made_of("slope", "slope", "surface"), other]
    assert compare(then, now) == []
    unused = file_of("bed", "bed.tif")
    assert compare(then, [*then, unused]) == []


def test_the_raster_that_an_input_is_derived_from_is_compared(compare):
    "With both values."
    then = [SPEED, SLOPE, file_of("dem", "dem.tif", resampling="average")]
    now = [SPEED, SLOPE, file_of("dem", "dem30.tif", band=2)]
    changes = "file dem.tif → dem30.tif, resampling average → default, band 1 → 2"
    assert compare(then, now) == [f"dem, source of slope: {changes}"]
    now = [SPEED, made_of("slope", "slope", "top"), file_of("top", "dem.tif")]
    changes = "name dem → top, resampling average → default"
    assert compare(then, now) == [f"top, source of slope: {changes}"]


def test_a_chain_is_followed_to_its_end(compare):
    "Through parameters of one that differs, too."

    def chain(sigma, file):
        smooth = made_of("smooth", "smooth", "dem", sigma=sigma)
        return [SPEED, made_of("slope", "slope", "smooth"), smooth, file]

    then, now = chain(100.0, file_of("dem", "a.tif")), file_of("dem", "b.tif")
    assert compare(then, chain(100.0, now)) == [
        "dem, source of slope: file a.tif → b.tif"
    ]
    assert compare(then, chain(200.0, now)) == [
        "smooth, source of slope: derive.sigma 100.0 → 200.0",
        "dem, source of slope: file a.tif → b.tif",
    ]


def test_another_derivation_is_told_of(compare):
    "And a file in the place of one. What is behind has no counterpart."
    dem = file_of("dem", "dem.tif")
    then = [SPEED, SLOPE, dem]
    relief = made_of("slope", "relief", "dem", radius=200.0)
    assert compare(then, [SPEED, relief, file_of("dem", "b.tif")]) == [
        "slope: derive slope of dem → relief of dem, derive.radius none → 200.0"
    ]
    assert compare(then, [SPEED, file_of("slope", "slope.tif")]) == [
        "slope: file none → slope.tif, derive slope of dem → none"
    ]
    then = [SPEED, relief, dem]
    now = [SPEED, made_of("slope", "relief", "dem", radius=300.0), dem]
    assert compare(then, now) == ["slope: derive.radius 200.0 → 300.0"]


@pytest.mark.parametrize("again", ["dem", "surface"])
def test_a_source_of_several_inputs_is_named_once(compare, again):
    "By one name or by two."

    def both(file):
        entries = {name: file_of(name, file) for name in ("dem", again)}
        relief = made_of("speed", "relief", again, radius=200.0)
        return [relief, SLOPE, *entries.values()]

    told = compare(both("a.tif"), both("b.tif"))
    assert told == ["dem, source of slope: file a.tif → b.tif"]


def test_an_input_that_another_is_derived_from_is_named_as_one(compare):
    then, now = (
        [file_of("speed", file), made_of("slope", "relief", "speed", radius=200.0)]
        for file in ("a.tif", "b.tif")
    )
    assert compare(then, now) == ["speed: file a.tif → b.tif"]


def test_the_other_component_of_a_vector_is_compared(compare):
    "As each is turned with the other; and what is no vector any more."
    speed = made_of("speed", "magnitude", ["vx", "vy"])
    slope, vx = file_of("slope", "slope.tif"), file_of("vx", "vx.tif")
    then = [speed, slope, vx, file_of("vy", "vy.tif")]
    now = [speed, slope, vx, file_of("vy", "v_y.tif")]
    pairs = [["vx", "vy"]], [["vx", "vy"]]
    assert compare(then, now, pairs) == [
        "vy, source of speed: file vy.tif → v_y.tif",
    ]
    assert compare(then, then, (pairs[0], [])) == [
        "vx, source of speed: vector ['vx', 'vy'] → none",
        "vy, source of speed: vector ['vx', 'vy'] → none",
    ]
    alone = [slope, file_of("speed", "vx.tif")]
    pairs = [["speed", "vy"]], [["speed", "north"]]
    then, now = [*alone, file_of("vy", "a")], [*alone, file_of("north", "b")]
    assert compare(then, then, (pairs[0], pairs[0])) == []
    assert compare(then, now, pairs) == [
        "north, source of speed: name vy → north, file a → b"
    ]


def test_inputs_that_differ_are_each_named(compare):
    "Though they change alike: two of one elevation, or of one table of points."

    def smoothed(file, **more):
        pair = ("speed", 100.0), ("slope", 300.0)
        return [
            *(made_of(n, "smooth", "dem", sigma=sigma, **more) for n, sigma in pair),
            file_of("dem", file),
        ]

    then, now = smoothed("a.tif", within="everywhere"), smoothed("a.tif", within="ice")
    within = "derive.within everywhere → ice"
    assert compare(then, now) == [f"slope: {within}", f"speed: {within}"]
    then, now = (
        [file_of(name, file, column=name) for name in ("speed", "slope")]
        for file in ("a.csv", "b.csv")
    )
    file = "file a.csv → b.csv"
    assert compare(then, now) == [f"slope: {file}", f"speed: {file}"]


def test_what_is_behind_the_other_component_is_compared(compare):
    "Where components are derived, too."

    def flow(file):
        components = [
            made_of(name, "smooth", f"{name}_raw", sigma=100.0) for name in ("vx", "vy")
        ]
        raw = [file_of("vx_raw", "vx.tif"), file_of("vy_raw", file)]
        slope, speed = (
            file_of("slope", "s.tif"),
            made_of("speed", "log", "vx", floor=1.0),
        )
        return [slope, speed, *components, *raw]

    pairs = [["vx", "vy"]], [["vx", "vy"]]
    assert compare(flow("vy.tif"), flow("other.tif"), pairs) == [
        "vy_raw, source of speed: file vy.tif → other.tif"
    ]


def test_units_are_compared_as_far_as_they_are_known(compare):
    "Models keep those of inputs; of sources there is what the experiment says."
    then = [SPEED, SLOPE, file_of("dem", "dem.tif", unit="m")]
    now = [SPEED, SLOPE, file_of("dem", "dem.tif")]
    known = {"speed": "m/yr", "slope": "degree"}
    assert compare(then, now, units_then=known) == []
    units = {"speed": "m a⁻¹", "slope": "°", "dem": "metres"}
    assert compare(then, now, units_then=known, units=units) == []
    units = {"speed": "m/d", "slope": "degree", "dem": "ft"}
    assert compare(then, now, units_then=known, units=units) == [
        "speed: unit m/yr → m/d",
        "dem, source of slope: unit m → ft",
    ]
    assert compare(now, then, units=units | {"dem": "m"}) == []
    unsaid = {"speed": "m/yr", "slope": None}
    assert compare(then, now, units_then=known, units=unsaid) == [
        "slope: unit degree → unknown"
    ]
