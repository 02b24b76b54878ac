"""Another dataset that is mixed in: which features, and none of what is kept apart."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import shapely
from pyproj import Transformer

from glacier_inversion import Workspace, load_experiment, open_dataset
from glacier_inversion.dataset.extra_training import (
    estimate_extra,
    find_extra_outlines,
)
from glacier_inversion.dataset.training_tiles import (
    digest_of_training,
    open_extra_of,
    read_training_tiles,
)
from glacier_inversion.errors import DatasetError
from tests import synthetic
from tests.dataset.helpers import known_everywhere
from tests.helpers import add_dataset, edit_json

ALL_TRAIN = {"split": {"fractions": [1.0, 0.0, 0.0]}}


def opened(run, said=None):
    """Return the experiment, its dataset, and the one that is mixed in."""
    checked = load_experiment(run.file)
    dataset = open_dataset(checked, Workspace(run.root))
    say = (lambda _: None) if said is None else said.append
    return checked, dataset, open_extra_of(dataset, checked, say)


@pytest.fixture
def built(run):
    """A workspace whose thickness is known everywhere, and whose dataset is built."""
    known_everywhere(run)
    assert run("build-dataset").exit_code == 0
    return run


def test_its_own_split_says_what_trains(built):
    "That with which it was built; there is nothing to say where nothing is left out."
    said = []
    add_dataset(built)
    assert opened(built, said)[2].select("train") == ["north-1", "north-2", "west"]
    assert said == []
    built.raw.pop("extra_training")
    built.write()
    checked, dataset, extra = opened(built)
    assert extra is None
    assert list(read_training_tiles(dataset, checked)) == ["train", "validation"]
    assert digest_of_training(dataset, checked) == dataset.digest


@pytest.mark.parametrize("epsg", [synthetic.EPSG, synthetic.OTHER_EPSG])
def test_nothing_that_is_kept_apart_is_mixed_in(built, epsg):
    "Neither features on its ground, nor targets of others, in whatever CRS."
    add_dataset(built, epsg=epsg, **ALL_TRAIN)
    said = []
    checked, dataset, extra = opened(built, said)
    assert extra.select("train") == ["north-1", "north-2", "west"]
    assert said == [
        "extra_training.dataset: 2 of the 5 training features of 'other' are left out, "
        "as they lie where features lie that are kept apart from training: east, south"
    ]
    to_main = Transformer.from_crs(epsg, synthetic.EPSG, always_xy=True)
    apart = [shapely.box(*dataset.grid(f, 50.0).bounds) for f in ("east", "south")]
    n_known = 0
    for part in read_training_tiles(dataset, checked)["extra"]:
        known = np.isfinite(part.targets["thickness"])
        row, col = np.nonzero(known)
        x, y = to_main.transform(part.grid.x(col), part.grid.y(row))
        own = shapely.contains_xy(dataset.outlines[part.feature].buffer(1), x, y)
        for tile, feature in zip(apart, ("east", "south"), strict=True):
            assert not shapely.contains_xy(dataset.outlines[feature], x, y).any()
            # what no outline holds is theirs, too, where their tiles are
            assert not shapely.contains_xy(tile.buffer(-1), x[~own], y[~own]).any()
        n_known += len(row)
    assert n_known > 500


def test_what_a_fold_holds_out_is_not_mixed_into_it(built):
    "Other features are kept apart in each."
    add_dataset(built)
    checked, dataset, _ = opened(built)
    splits = dict.fromkeys(("north-1", "north-2", "east"), "train")
    fold = replace(dataset, splits={**splits, "west": "test", "south": "validation"})
    extra = open_extra_of(fold, checked, lambda _: None)
    assert extra.select("train") == ["north-1", "north-2"]


def test_the_estimate_is_near_what_is_read(built):
    "Of points; a sample for each cell at most."
    add_dataset(built)
    checked, dataset, extra = opened(built)
    size = estimate_extra(checked, extra)
    parts = [*read_training_tiles(dataset, checked)["extra"]]
    n_known = sum(int(np.isfinite(p.targets["thickness"]).sum()) for p in parts)
    assert len(size.bounds) == len(parts) == 3
    assert n_known <= size.n_points <= 2 * n_known
    assert size.n_cells == pytest.approx(size.n_points / 4, rel=0.01)


def change_raster(which, **values):
    def change(raw):
        rasters = raw["dataset_description"]["rasters"]
        next(raster for raster in rasters if raster["name"] == which).update(values)

    return change


def rename_slope(raw):
    change_raster("slope", name="gradient")(raw)
    raw["inputs"][0]["name"] = "gradient"
    inputs = raw["model_description"]["inputs"]
    inputs["gradient"] = inputs.pop("slope")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rename_slope, r"must have 'slope' at 50 \(not at all\)\. "),
        (change_raster("thickness", unit="km"), r"'thickness' in 'm' \(in 'km'\)"),
        (
            lambda raw: raw["dataset_description"].update(
                split={"fractions": [0.0, 0.5, 0.5]}
            ),
            r"no feature of 'other' can be mixed in: its split trains 0, of which 0 ",
        ),
    ],
)
def test_a_dataset_that_does_not_serve_is_refused(built, change, said):
    "All that it lacks is named, by train as by check."
    raw = json.loads(json.dumps(built.raw))
    change(raw)
    built.raw.update(raw)
    built.write()
    add_dataset(built)
    built.raw.clear()
    built.raw.update(synthetic.experiment())
    built.raw["extra_training"] = {"dataset": "other", "share": 0.5}
    built.write()
    with pytest.raises(DatasetError, match=said):
        opened(built)
    result = built("train")
    assert result.exit_code == 1
    assert "Error: extra_training.dataset: " in result.output
    assert not (built.root / "models/small/model.json").exists()


def test_derivations_must_be_the_same(built):
    "Their parameters; not what they are derived from."
    smooth = {"name": "smooth", "of": "slope", "sigma": 100.0}
    rasters = built.raw["dataset_description"]["rasters"]
    rasters.append({"name": "even", "resolution": 50.0, "derive": smooth})
    built.raw["inputs"][0]["name"] = "even"
    inputs = built.raw["model_description"]["inputs"]
    inputs["even"] = inputs.pop("slope")
    built.write()
    assert built("build-dataset").exit_code == 0
    add_dataset(built)
    opened(built)
    smooth["sigma"] = 200.0
    built.write()
    assert built("build-dataset").exit_code == 0
    with pytest.raises(DatasetError, match=r"'even' derived by .*200.* \(by .*100"):
        opened(built)


def test_vectors_must_be_turned(built):
    "Where their file is in another CRS than the tiles."
    rasters = built.raw["dataset_description"]["rasters"]
    for name in ("vx", "vy"):
        rasters.append({"name": name, "resolution": 100.0, "file": "speed.tif"})
        built.raw["inputs"].append({"name": name, "resolution": 100.0})
        inputs = built.raw["model_description"]["inputs"]
        inputs[name] = inputs["speed"]
    built.write()
    add_dataset(built)
    built.raw["dataset_description"]["vectors"] = [["vx", "vy"]]
    built.write()
    assert built("build-dataset").exit_code == 0
    with pytest.raises(DatasetError, match=r"must have vectors \['vx', 'vy'\] \(not t"):
        opened(built)


def test_a_dataset_that_is_not_built_is_named(built):
    "With the nearest that is; one that is broken, too."
    add_dataset(built)
    summary = built.root / "datasets/other/summary.json"
    edit_json(summary, lambda content: content.pop("units"))
    with pytest.raises(DatasetError, match=r"^extra_training.dataset: .*units"):
        opened(built)
    summary.unlink()
    with pytest.raises(DatasetError, match=r"'other' is not built in .*Correct the na"):
        opened(built)


def test_outlines_are_found_while_they_are_what_was_mixed_in(built):
    "In the CRS of whatever dataset is asked about; else nothing is known of them."
    built.raw.update(epochs=1, seeds_number=1)
    add_dataset(built, epsg=synthetic.OTHER_EPSG)
    assert built("train").exit_code == 0
    checked, dataset, _ = opened(built)
    model = json.loads((built.root / "models/small/model.json").read_text())
    features, contents = model["extra_features"], model["dataset"]
    found = find_extra_outlines(checked, dataset, features, contents)
    for outline, feature in zip(found, ["north-1", "north-2", "west"], strict=True):
        assert outline.symmetric_difference(dataset.outlines[feature]).area < 10
    assert find_extra_outlines(checked, dataset, features[:2], contents) is None
    shutil.rmtree(built.root / "datasets/other")
    assert find_extra_outlines(checked, dataset, features, contents) is None
