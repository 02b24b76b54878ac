"""What check says of tiles that are gone from a dataset."""

from tests.checking.helpers import report_of
from tests.helpers import add_dataset


def test_check_warns_of_tiles_that_the_dataset_lacks(run):
    "Before train would stop; it is no problem, as they can be built."
    assert run("build-dataset").exit_code == 0
    assert not [w for w in report_of(run)["warnings"] if "lacks" in w]
    tiles = run.root / "datasets" / "region"
    (tiles / "east" / "slope.tif").unlink()
    (said,) = [w for w in report_of(run)["warnings"] if "lacks" in w]
    assert said == f"{tiles}: lacks 1 tile, of east. Run 'ginv build-dataset'"
    assert run("train").exit_code == 1
    (tiles / "west" / "slope.tif").unlink()
    (said,) = [w for w in report_of(run)["warnings"] if "lacks" in w]
    assert said.endswith(": lacks 2 tiles, of west, east. Run 'ginv build-dataset'")
    assert run("build-dataset").exit_code == 0
    assert not [w for w in report_of(run)["warnings"] if "lacks" in w]


def test_features_that_could_not_be_built_lack_no_tiles(run):
    "Another build would fail on them again: why is said, and no build advised."
    raster = run.root / "data/slope.tif"
    whole = raster.read_bytes()
    raster.write_bytes(whole[: len(whole) * 3 // 4])
    assert run("build-dataset").exit_code == 3
    said = report_of(run, exit_code=1)["warnings"]
    assert not [w for w in said if "lacks" in w]
    (failed,) = [w for w in said if "could not be built" in w]
    tiles = run.root / "datasets/region"
    told = f"{tiles}: west, east, south could not be built. The first: {raster}: cannot"
    assert failed.startswith(told)
    assert failed.endswith(" Mend it, and run 'ginv build-dataset'")
    (tiles / "north-1/slope.tif").unlink()
    said = report_of(run, exit_code=1)["warnings"]
    assert [w for w in said if "lacks 1 tile, of north-1" in w]


def test_tiles_that_are_to_be_mixed_in_must_be_there(run):
    "Training reads those of its training features alone."
    assert run("build-dataset").exit_code == 0
    add_dataset(run, split={"fractions": [1.0, 0.0, 0.0]})
    tiles = run.root / "datasets" / "other"
    assert not report_of(run)["problems"]
    (tiles / "west" / "slope.tif").unlink()
    (said,) = report_of(run, exit_code=1)["problems"]
    assert said == (
        f"extra_training.dataset: {tiles}: lacks 1 tile, of west. Run 'ginv "
        "build-dataset' with its own file"
    )
