"""The report as people read it."""

import json

from tests import synthetic


def test_the_text_is_for_people(run):
    "Sections on stdout, nothing on stderr; each feature with -v."
    result = run("check")
    assert result.exit_code == 0
    assert result.stderr == ""
    for part in (
        "glaciers.shp: 5 features by 'id', EPSG:32632: 3 train, 1 validation, 1 test",
        "EPSG:2056",
        "steps of 32 an epoch",
        "Network (resnet): ",
        "8 x 4 x 4",
        "Problems: none",
        "they share inputs across the split",
    ):
        assert part in result.stdout
    assert "north-2" not in result.stdout.split("Warnings")[0]
    detailed = run("check", "-v").stdout
    assert "north-2" in detailed.split("Network")[0]


def test_words_fit_the_command_that_says_them(run):
    "And name what there is."
    features = [
        (
            {"id": f"g{i}", "train": i % 3},
            synthetic.box(300 * i, 700, 300 * i + 300, 2000),
        )
        for i in range(7)
    ]
    synthetic.write_outlines(run.root / "data" / "glaciers.shp", features)
    run.raw["drawing_description"]["features"] = "all"
    run.raw["area_size"] = 2400.0  # no window fits
    run.write()
    result = run("check")
    assert result.exit_code == 1
    assert "more such overlaps, in the leaks of 'ginv check --json'" in result.stdout
    assert "valid pixels, which 'ginv check -v' shows" in result.stdout
    assert "summary.json" not in result.output
    built = run("build-dataset")
    assert "more such overlaps, in the leaks of 'ginv check --json'" in built.stderr


def test_several_numbers_that_mean_no_data_are_shown(run):
    "As the experiment names them, in the report and for programs."
    run.raw["dataset_description"]["rasters"][0]["nodata"] = [synthetic.NODATA, 0, 1, 2]
    run.write()
    result = run("check")
    assert result.exit_code == 0, result.output
    assert f"{synthetic.NODATA:g}, 0, 1, ..." in result.stdout
    rasters = json.loads(run("check", "--json").stdout)["rasters"]
    assert rasters[0]["nodata"] == [synthetic.NODATA, 0, 1, 2]


def test_derived_rasters_say_of_what(run):
    "Instead of a file; what serves them alone is not unused."
    run.raw["dataset_description"]["rasters"] += [
        {"name": name, "resolution": 50.0, "derive": derive}
        for name, derive in (
            ("steep", {"name": "sine", "of": "slope"}),
            ("log", {"name": "log", "of": "steep", "floor": 0.01}),
            ("ice", {"name": "inside"}),
        )
    ]
    run.write()
    lines = run("check", "-v").stdout.splitlines()
    assert [line.split()[:6] for line in lines if "of slope" in line] == [
        ["steep", "derived", "from", "sine", "of", "slope"]
    ]
    assert [line.split()[:5] for line in lines if "of steep" in line] == [
        ["log", "unused", "log", "of", "steep"]
    ]
    (ice,) = (line.split() for line in lines if line.split()[:1] == ["ice"])
    assert ice[:5] == ["ice", "unused", "inside", "50", "m"]
    assert "steep valid" in "\n".join(lines)
