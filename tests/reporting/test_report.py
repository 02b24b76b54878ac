"""The page: all of it in one file, from what is there, and what is said of the rest."""

import json
import re
import shutil

import pandas as pd
import pytest

from glacier_inversion import Workspace, load_experiment, report
from glacier_inversion.reporting.quantities import number, percent
from tests.helpers import copy_of, read_all

SECTIONS = re.compile(r'<section id="(\w+)">(.*?)</section>', re.DOTALL)


def page_of(run, model="small"):
    """Return the page as text."""
    return (run.root / f"reports/{model}.html").read_text(encoding="utf-8")


def sections(page):
    """Return the text of each section, without its tags."""
    return {
        name: " ".join(re.sub(r"<[^>]*>", " ", part).split())
        for name, part in SECTIONS.findall(page)
    }


def test_the_page_needs_nothing_but_itself(reported):
    "No address that a browser would open, and a rule that forbids it."
    page = page_of(reported)
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(addresses) > 20
    assert [a for a in addresses if not a.startswith(("#", "data:"))] == []
    assert re.findall(r"url\(|@import|https?://", page) == []
    assert "default-src 'none'" in page
    assert (reported.root / "printed.txt").read_text() == (
        f"{reported.root / 'reports/small.html'}\n"
    )


def test_the_summary_says_what_the_evaluation_found(reported):
    "In words, with units."
    told = sections(page_of(reported))["summary"]
    path = reported.root / "evaluations/small/crossval/metrics.json"
    scores = json.loads(path.read_text())["outputs"]["thickness"]
    assert f"At {scores['n_predicted']:,} measured pixels of 5 features" in told
    assert (
        f"measured by {number(scores['ensemble']['rmse'], 'm')} (95 % interval" in told
    )
    held = scores["uncertainty"]["calibrated"]["levels"]["95"]
    assert f"held {percent(held['coverage'], 1)}; on {held['least_feature']}" in told
    assert "thickness in m, from maps of slope, speed, by 2 neural networks" in told
    assert "5 of 5 features" in told


def test_every_section_is_filled(reported):
    "Where its files are there."
    page = page_of(reported)
    told = sections(page)
    assert [*told] == [
        "summary",
        "cautions",
        "region",
        "errors",
        "uncertainty",
        "applicability",
        "volumes",
        "features",
        "profiles",
        "table",
        "data",
        "training",
        "run",
        "words",
    ]
    makes = [name for name, text in told.items() if "makes this section" in text]
    assert set(makes) <= {"applicability", "volumes", "profiles"}
    assert page.count("<svg") == 4 + 3 * 5  # of the region, and of each feature
    assert page.count("data:image/svg+xml") == 4  # curves, density, coverage, PIT
    digest = json.loads((reported.root / "models/small/model.json").read_text())
    assert digest["dataset"]["dataset.inputs.slope"] in told["run"]
    assert "perfect" in told["words"]


def test_the_same_files_give_the_same_bytes(reported, tmp_path):
    run = copy_of(reported, tmp_path / "again")
    before = read_all(run.root / "reports")
    written = report(load_experiment(run.file), Workspace(run.root)).written
    assert written == [run.root / "reports/small.html"]
    assert read_all(run.root / "reports") == before


def test_what_is_not_there_is_named_with_its_command(finished, tmp_path):
    "And nothing is said of it."
    run = copy_of(finished, tmp_path / "bare")
    shutil.rmtree(run.root / "drawings")
    result = run("report")
    assert result.exit_code == 0, result.output
    told = sections(page_of(run))
    for name in ("region", "features"):
        assert "ginv draw makes this section" in told[name]
    for name in ("errors", "uncertainty"):
        assert "Run &#39;ginv crossval" in told[name]
    assert "ginv draw makes this section" in told["applicability"]
    (run.root / "models/small/applicability.safetensors").unlink()
    assert run("report").exit_code == 0
    told = sections(page_of(run))
    assert "it has learnt from one feature alone" in told["applicability"]
    assert "ginv draw" not in told["applicability"]
    assert "nobody knows how good the predictions are" in told["cautions"]
    assert "Nothing is drawn" in told["cautions"]
    assert "those of the check" not in told["region"]
    assert "Not checked in this workspace" in told["summary"]


@pytest.mark.parametrize(
    ("best", "told"), [([2, 2], ": epoch 2."), ([3, 1], ": between epoch 1 and 3.")]
)
def test_the_epochs_that_were_kept_are_told(reported, tmp_path, best, told):
    "One of them, or the first and the last."
    run = copy_of(reported, tmp_path)
    logs = sorted((run.root / "models/small").glob("seed_*/log.csv"))
    for path, epoch in zip(logs, best, strict=True):
        table = pd.read_csv(path)
        table["val_loss"] = (table["epoch"] - epoch).abs()
        table.to_csv(path, index=False)
    assert run("report").exit_code == 0
    assert f"was kept{told}" in sections(page_of(run))["training"]


def test_a_model_that_is_not_trained_is_refused(run):
    "In one message, and nothing is written."
    result = run("report")
    assert result.exit_code == 1
    assert "has no summary.json" in result.output
    assert run("build-dataset").exit_code == 0
    result = run("report")
    assert result.exit_code == 1
    assert "models/small: is no model." in result.output
    assert not (run.root / "reports").exists()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ('{"format": 99}', "has format 99, that of a newer version"),
        ("{", "cannot be used (Expecting"),
        ('{"format": 1, "split": "test"}', "cannot be used (features: Field required)"),
    ],
)
def test_an_evaluation_that_cannot_be_read_is_left_out(
    reported, tmp_path, content, what
):
    "The others are told, and that it is missing."
    run = copy_of(reported, tmp_path / "broken")
    path = run.root / "evaluations/small/crossval/metrics.json"
    path.write_text(content)
    result = run("report")
    assert result.exit_code == 0, result.output
    assert f"{path}: {what}" in result.stderr
    told = sections(page_of(run))
    assert what.replace('"', "&#34;") in told["cautions"]
    assert "(kept apart as a test: no network has seen them)" in told["summary"]


def test_an_output_that_is_a_probability_has_a_page(reported, tmp_path):
    "With its own scores, and no words on what it does not have."
    run = copy_of(reported, tmp_path / "probable")
    for path in (run.root / "evaluations/small").glob("*/metrics.json"):
        metrics = json.loads(path.read_text())
        scores = metrics["outputs"]["thickness"]
        del scores["uncertainty"]
        scores["kind"] = "classification"
        scores["ensemble"] |= {"brier": 0.0612, "accuracy": 0.9, "iou": 0.7}
        limits = {"brier": [0.05, 0.08], "accuracy": [0.85, 0.94], "iou": None}
        scores["ensemble"]["intervals"] = limits
        path.write_text(json.dumps(metrics))
    (run.root / "models/small/calibration.json").unlink()
    result = run("report")
    assert result.exit_code == 0, result.output
    told = sections(page_of(run))
    intervals = "0.0612 (0.0500 to 0.0800) 90.0 % (85.0 % to 94.0 %) 70.0 %"
    assert intervals in told["errors"]
    assert "is a probability, which says itself how sure it is" in told["uncertainty"]
    assert "not calibrated" not in told["cautions"]
    assert "bias" not in told["table"]
    assert "RMSE" not in told["features"]


@pytest.mark.slow
def test_a_model_of_two_outputs_has_all_of_both(run):
    "Under a heading each, with a table each."
    run.raw["inputs"] = run.raw["inputs"][:1]
    speed = {"name": "speed", "resolution": 100.0, "scalar": True}
    run.raw["outputs"].append(speed)
    run.raw.update(epochs=2, criterion="loss")
    run.raw["losses_name"]["speed"] = "nan_mae"
    run.raw["metrics_name"]["speed"] = ["nan_mae"]
    network = run.raw["model_description"]["outputs"]
    network["speed"] = network["thickness"]
    run.write()
    for command in ("build-dataset", "train", "evaluate", "draw", "report"):
        result = run(command)
        assert result.exit_code == 0, result.output
    page = page_of(run)
    assert page.count('class="feature-table"') == 2
    assert page.count("<h3>thickness</h3>") == page.count("<h3>speed</h3>") >= 6
    assert "thickness: the uncertainty is not calibrated" in page
    assert "speed: the uncertainty is not calibrated" in page


@pytest.mark.parametrize("is_there", [True, False])
def test_residuals_that_cannot_be_read_are_named(reported, tmp_path, is_there):
    "The numbers are told all the same, and what is missing."
    run = copy_of(reported, tmp_path / "broken")
    path = run.root / "evaluations/small/crossval/residuals.gpkg"
    path.unlink()
    if is_there:
        path.write_bytes(b"nothing")
    result = run("report")
    assert result.exit_code == 0, result.output
    assert "residuals.gpkg: cannot be used (" in result.stderr
    told, whole = (sections(page_of(r)) for r in (run, reported))
    assert "no chart of predicted against measured values" in told["cautions"]
    before = whole["summary"].partition("The measured values")[0]
    assert told["summary"].startswith(before.strip())
    assert "crossval held out in turn" in told["errors"]


def test_what_other_methods_know_of_the_features_is_said(reported, tmp_path):
    "Whether they were fitted to them, or may have been made from them."
    run = copy_of(reported, tmp_path / "others")
    path = run.root / "evaluations/small/crossval/metrics.json"
    metrics = json.loads(path.read_text())
    other = metrics["outputs"]["thickness"]["baselines"][1]
    other |= {"method": "published map", "description": "map"}
    path.write_text(json.dumps(metrics))
    told, whole = [], sections(page_of(reported))["errors"]
    for check in ("crossval", "test"):
        assert run("report").exit_code == 0
        told.append(sections(page_of(run))["errors"])
        shutil.rmtree(run.root / "evaluations/small" / check)
    assert run("report").exit_code == 0
    seen = sections(page_of(run))["errors"]
    for text in (*told, whole):
        assert "Simple ones were fitted without these features." in text
    assert "fitted to the training features, which are among these." in seen
    assert "may have been made with these measurements. method" in told[0]
    assert "map, a published map" in told[0]
    for text in (told[1], whole, seen):
        assert "published" not in text


def test_errors_and_maps_of_an_earlier_model_are_told(reported, tmp_path):
    "First of all, once it is trained anew; evaluated and drawn again they are not."
    run = copy_of(reported, tmp_path / "anew")
    assert "an earlier model" not in page_of(reported)
    run.raw["epochs"] = 1
    run.write()
    assert run("train", "--overwrite").exit_code == 0
    assert run("report").exit_code == 0
    told = sections(page_of(run))
    assert told["cautions"].startswith(
        "What to be careful about The errors of the check &#39;crossval&#39; are of an "
        "earlier model"
    )
    assert "These are errors of an earlier model, not of this one." in told["summary"]
    assert "5 features drawn by another model" in told["cautions"]
    run.raw["drawing_description"]["statistics"] = ["mean"]
    run.write()
    shutil.rmtree(run.root / "evaluations/small/crossval")
    shutil.rmtree(run.root / "evaluations/small/all")
    for command in ("evaluate", "draw", "report"):
        assert run(command).exit_code == 0
    assert "an earlier model" not in page_of(run)
    assert "drawn by another model" not in page_of(run)


def test_maps_that_cannot_be_read_are_not_drawn(reported, tmp_path):
    "One without a header, one without its pixels: logged, with what helps."
    run = copy_of(reported, tmp_path / "unreadable")
    drawings = run.root / "drawings/small"
    broken = [drawings / f"{f}/thickness_mean.tif" for f in ("west", "east")]
    broken[0].write_bytes(b"no map")
    with broken[1].open("r+b") as file:
        file.truncate(broken[1].stat().st_size - 2000)
    result = run("report")
    assert result.exit_code == 0, result.output
    told = sections(page_of(run))
    assert "3 of 5 features" in told["summary"]
    for path in broken:
        said = f"{path}: cannot be read ("
        assert result.stderr.count(said) == told["cautions"].count(said) == 1
    assert result.stderr.count("Run 'ginv draw' again: it draws maps anew") >= 2
    assert "or name another" not in result.stderr


def test_a_folder_that_is_named_as_a_picture_is_none(reported, tmp_path):
    run = copy_of(reported, tmp_path / "folder")
    (run.root / "drawings/small/profiles/x.png").mkdir()
    assert run("report").exit_code == 0
    pictures = page_of(run).count("data:image/png")
    assert pictures == page_of(reported).count("data:image/png")


def test_a_picture_of_a_profile_that_is_none_is_named(reported, tmp_path):
    "And not shown as a broken one."
    run = copy_of(reported, tmp_path / "pictures")
    (run.root / "drawings/small/profiles/x.png").write_bytes(b"")
    result = run("report")
    assert result.exit_code == 0
    page = page_of(run)
    assert page.count("data:image/png") == page_of(reported).count("data:image/png")
    assert "x.png: cannot be read (it is no PNG)" in result.stderr
    assert "x.png: cannot be read (it is no PNG)" in sections(page)["cautions"]


def test_the_checks_that_maps_show_are_named(reported, tmp_path):
    "One, or all of them where a feature is held by another alone."
    run = copy_of(reported, tmp_path / "checks")
    assert "those of the check crossval. Those of" in sections(page_of(run))["region"]
    path = run.root / "evaluations/small/crossval/metrics.json"
    metrics = json.loads(path.read_text())
    ensemble = metrics["outputs"]["thickness"]["ensemble"]
    ensemble["features"] = [f for f in ensemble["features"] if f["feature"] != "south"]
    path.write_text(json.dumps(metrics))
    assert run("report").exit_code == 0
    told = sections(page_of(run))
    assert "of several checks, crossval, test: of each feature" in told["region"]
    assert "by the check test" in told["features"]


def test_names_are_text_whatever_they_hold(reported, tmp_path):
    "A picture's name here."
    run = copy_of(reported, tmp_path / "named")
    name = 'x"><img src=y onerror=z>'
    profiles = run.root / "drawings/small/profiles"
    (profiles / f"{name}.png").write_bytes(b"\x89PNG")
    assert run("report").exit_code == 0
    page = page_of(run)
    assert "<img src=y" not in page
    assert "x&#34;&gt;&lt;img src=y onerror=z&gt;" in page


@pytest.mark.parametrize("content", ["", "thickness,west\n", "feature,n\nwest,1,2\n"])
def test_a_table_that_is_no_table_is_told_of(reported, tmp_path, content):
    "An empty one, too."
    run = copy_of(reported, tmp_path / "tables")
    (run.root / "drawings/small/holes.csv").write_text(content)
    result = run("report")
    assert result.exit_code == 0
    assert "holes.csv: cannot be read (it has no column 'feature'" in result.stderr


def test_the_volumes_of_a_run_are_told(reported, tmp_path):
    "The total in words, each feature's in the table."
    run = copy_of(reported, tmp_path / "volumes")
    (run.root / "drawings/small/volumes.csv").write_text(
        "output,feature,area_km2,drawn_share,mean_m,volume_km3,spread_km3,"
        "uncertainty_km3,lower95_km3,upper95_km3,effective_pixels,"
        "published_other_km3,volume_at_other_km3,published_elsewhere_km3,"
        "volume_at_elsewhere_km3,slope_on_other,slope_on_elsewhere\n"
        "thickness,west,1.5,1,80,0.12,0.01,0.02,0.0812,0.16,4.5,0.1,0.09,,,,\n"
        "thickness,total,6.5,0.9,80,0.52,0.05,,,,,0.5,0.45,,,0.8,\n"
    )
    assert run("report").exit_code == 0
    told = sections(page_of(run))
    assert (
        "0.520 km³ (how far it may be off is not known), on 6.50 km²"
        in (told["summary"])
    )
    assert "90.0 % of the pixels are drawn" in told["volumes"]
    assert (
        "published map other has, its volume is 0.500 km³ and that of the"
        in (told["volumes"])
    )
    assert "elsewhere" not in told["volumes"]  # it is known nowhere here
    assert "published ones is 0.80: 1 where they agree" in told["volumes"]
    assert "0.120 (0.081 to 0.160)" in told["table"]


def test_a_file_that_applies_models_has_a_page_for_each(reported, tmp_path):
    "Of what is known of them, and of its own dataset and maps."
    run = copy_of(reported, tmp_path / "applied")
    elsewhere = run.root / "elsewhere"
    shutil.copytree(run.root / "models/small", elsewhere / "other")
    raw = {
        "dataset_description": run.raw["dataset_description"],
        "drawing_description": {
            "features": "all",
            "models": ["small", "elsewhere/other"],
        },
    }
    run.raw.clear()
    run.raw.update(raw)
    run.write()
    result = run("report")
    assert result.exit_code == 0, result.output
    assert [line.rpartition("/")[2] for line in result.stdout.splitlines()] == [
        "small.html",
        "other.html",
    ]
    assert "Not checked in this workspace" in sections(page_of(run, "other"))["summary"]
    raw["drawing_description"]["models"] = []
    run.raw.update(raw)
    run.write()
    assert "drawing_description.models: is empty." in run("report").output


def test_features_elsewhere_are_not_those_of_training(reported, tmp_path):
    "By their ids alone: no split, no errors, no coverage; but what it is calibrated by."
    run = copy_of(reported, tmp_path / "elsewhere")
    raw = {
        "dataset_description": run.raw["dataset_description"],
        "drawing_description": {"features": "all", "models": ["small"]},
    }
    run.raw.clear()
    run.raw.update(raw)
    run.write()
    assert run("report").exit_code == 0
    told = sections(page_of(run))
    assert " validation " in told["table"]  # the same tiles: the same features
    path = run.root / "datasets/region/summary.json"
    summary = json.loads(path.read_text())
    for row in summary["features"]:
        for raster in row["rasters"].values():
            raster["sha256"] = "other"
    del summary["sha256"]
    path.write_text(json.dumps(summary))
    shutil.rmtree(run.root / "evaluations")
    result = run("report")
    assert result.exit_code == 0, result.output
    told = sections(page_of(run))
    rows = told["table"].partition("An empty cell")[0]
    for word in ("train ", "validation", "test ", "crossval"):
        assert word not in rows.partition("unlike training")[2]
    assert "in 95 % intervals" not in rows
    assert "It was calibrated where the model was trained, on 4" in told["summary"]
    assert "95 % 95.0 %" in told["uncertainty"]
    assert "Run &#39;ginv crossval" not in page_of(run)
    cautions = told["cautions"].replace("&#39;", "'")
    assert "Where the model was trained, with its experiment, run 'ginv" in cautions
    assert "Run 'ginv crossval" not in cautions
    assert "Run 'ginv evaluate" not in cautions
