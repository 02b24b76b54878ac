"""Maps of the region and of features: which there are, and what they say."""

import shutil
from dataclasses import replace

import pytest

from glacier_inversion import load_experiment, open_dataset
from glacier_inversion.progress import Silent
from glacier_inversion.reporting.pictures import MOST_FEATURES, Painter
from glacier_inversion.reporting.reading import read_sources
from glacier_inversion.reporting.rows import tell_features
from glacier_inversion.workspace import Workspace
from tests.helpers import copy_of


@pytest.fixture
def paint(sources):
    """Return who makes the maps."""
    return lambda: Painter(sources, "thickness", tell_features(sources, "thickness"))


def test_a_region_has_a_map_of_each_kind(paint, sources):
    "Of every outline that is checked, its error when one points at it."
    mean, uncertainty, errors, residuals = paint().region()
    assert (mean.legend.colours, mean.title) == ("mean", "predicted")
    assert uncertainty.title == "uncertainty (one standard error)"
    assert residuals.title == "predicted minus measured"
    assert [len(m.images) for m in (mean, uncertainty, errors, residuals)] == [
        1,
        1,
        0,
        1,
    ]
    titles = [shape.title for shape in errors.shapes]
    rows = tell_features(sources, "thickness")
    assert [title.partition(":")[0] for title in titles] == [r.feature for r in rows]
    assert all(title.endswith(" m") for title in titles)


def test_a_mosaic_of_some_features_says_so(reported, sources, tmp_path):
    "As after a run over one of them; each has its own map still."
    assert (
        ":"
        not in Painter(sources, "thickness", tell_features(sources, "thickness"))
        .region()[0]
        .title
    )
    run = copy_of(reported, tmp_path / "one")
    run.raw["drawing_description"]["features"] = ["west"]
    run.write()
    assert run("draw").exit_code == 0
    sources.workspace = Workspace(run.root)
    painter = Painter(sources, "thickness", tell_features(sources, "thickness"))
    title = painter.region()[0].title
    assert title == "predicted: 1 feature, those of the last 'ginv draw'"
    assert len(painter.features(Silent())) == 5


@pytest.mark.parametrize("content", [b"no map", None])
def test_a_broken_map_leaves_the_others_of_its_mosaic(
    reported, sources, tmp_path, content
):
    "Where they are in the whole one; the broken one is named, and drawn again."
    whole = Painter(sources, "thickness", tell_features(sources, "thickness")).region()
    run = copy_of(reported, tmp_path / "broken")
    path = run.root / "drawings/small/west/thickness_mean.tif"
    drawn = path.read_bytes()
    path.write_bytes(content) if content else path.unlink()
    experiment, workspace = load_experiment(run.file), Workspace(run.root)
    dataset = open_dataset(experiment, workspace)
    broken = read_sources(experiment, workspace, dataset, "small")
    rows = tell_features(broken, "thickness")
    mean, uncertainty, *_ = Painter(broken, "thickness", rows).region()
    assert mean.title == "predicted: 4 features, those whose maps can be read"
    assert uncertainty.title == whole[1].title
    assert len(mean.images) == 4
    (joined,) = whole[0].images
    for image in mean.images:
        assert joined.x <= image.x < image.x + image.width <= joined.x + joined.width
        assert joined.y <= image.y < image.y + image.height <= joined.y + joined.height
    (said,) = [text for text in broken.broken if "mean.vrt: cannot be read" in text]
    assert str(path) in said
    assert run("draw").exit_code == 0
    assert path.read_bytes() == drawn


def test_a_large_region_shows_the_bias_of_features(paint, monkeypatch):
    "As single pixels would not be seen."
    painter = paint()
    monkeypatch.setattr(painter, "_resolution", 0.1)
    *_, bias = painter.region()
    assert bias.title.startswith("bias (predicted minus measured, on average)")
    assert bias.legend.low.startswith("≤ -")


def test_features_have_maps_of_one_range(paint):
    "The largest first, and what is known of each in a line."
    features = paint().features(Silent())
    assert len(features) == 5 <= MOST_FEATURES
    for feature in features:
        assert [m.title for m in feature.maps] == [
            "predicted",
            "uncertainty (one standard error)",
            "predicted minus measured",
        ]
        assert "measured pixels, RMSE" in feature.facts
    for kind in zip(*(feature.maps for feature in features), strict=True):
        assert len({m.legend for m in kind}) == 1


def test_each_feature_has_the_differences_of_its_own_check(paint, sources):
    "Those of the test where the cross-validation does not hold it, and it says so."
    own, of_test = (sources.evaluations[check] for check in ("crossval", "test"))
    assert {*of_test.residuals["feature"]} == {"south"}
    before = {f.feature: f for f in paint().features(Silent())}
    scores = own.metrics.outputs["thickness"].ensemble
    scores.features = [told for told in scores.features if told.feature != "south"]
    is_south = own.residuals["feature"] == "south"
    table = own.residuals[~is_south]
    sources.evaluations["crossval"] = replace(own, residuals=table)
    for feature in paint().features(Silent()):
        same = before[feature.feature]
        assert [m.title for m in feature.maps] == [m.title for m in same.maps]
        is_of_test = feature.feature == "south"
        assert feature.facts.endswith(", by the check test") == is_of_test
    titles = [m.title for m in paint().region()]
    assert titles[-1] == "predicted minus measured"
    sources.evaluations["test"] = replace(of_test, residuals=None)
    (south,) = [f for f in paint().features(Silent()) if f.feature == "south"]
    assert len(south.maps) == len(before["south"].maps) - 1


def test_a_probability_has_its_own_error_and_no_bias(paint, sources):
    "Its name stands in captions and above maps, without the unit of the output."
    scores = sources.evaluations["crossval"].metrics.outputs["thickness"]
    scores.kind = "classification"
    for own in scores.ensemble.features:
        own.metrics |= {"brier": 0.11, "rmse": None, "bias": None}
    painter = paint()
    for feature in painter.features(Silent()):
        assert feature.facts.endswith("measured pixels, Brier score 0.110")
    errors = painter.region()[-1]
    assert errors.title == "Brier score of each feature; grey: not checked"
    assert not errors.legend.high.endswith("m")
    assert all(shape.title.endswith(": 0.110") for shape in errors.shapes)


def test_nothing_is_shown_of_what_is_not_there(paint, sources):
    sources.evaluations.clear()
    sources.facts = {"thickness": {}}
    painter = paint()
    assert painter.region() == []
    assert painter.features(Silent()) == []


def test_a_map_that_cannot_be_read_is_noted(reported, sources, tmp_path):
    "And left out; the spread is shown where there is no uncertainty."
    run = copy_of(reported, tmp_path / "broken")
    drawings = run.root / "drawings/small"
    for path in drawings.rglob("*_uncertainty.tif"):
        shutil.move(path, path.with_name("thickness_std.tif"))
    broken = drawings / "west/thickness_mean.tif"
    broken.write_bytes(broken.read_bytes()[:300])
    sources.workspace = Workspace(run.root)
    rows = tell_features(sources, "thickness")
    features = Painter(sources, "thickness", rows).features(Silent())
    maps = {feature.feature: [m.title for m in feature.maps] for feature in features}
    spread = "spread of the networks (no error)"
    assert maps["west"] == [spread, "predicted minus measured"]
    assert maps["east"][:2] == ["predicted", spread]
    assert sources.broken
    assert all(str(broken) in message for message in sources.broken)


def test_the_map_of_where_a_model_applies_is_shown(reported, sources, tmp_path):
    "Its colours change at 1, on every map."
    run = copy_of(reported, tmp_path / "applies")
    for folder in (run.root / "drawings/small").iterdir():
        if folder.is_dir() and (folder / "thickness_mean.tif").exists():
            shutil.copy(
                folder / "thickness_mean.tif", folder / "thickness_applicability.tif"
            )
    sources.workspace = Workspace(run.root)
    rows = tell_features(sources, "thickness")
    for feature in Painter(sources, "thickness", rows).features(Silent()):
        (told,) = [m for m in feature.maps if m.legend.colours == "applicability"]
        assert (told.legend.low, told.legend.high) == ("0", "≥ 2")
