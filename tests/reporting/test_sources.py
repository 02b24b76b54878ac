"""What a report is made of."""

from dataclasses import replace

from glacier_inversion.evaluation.metrics_file import FoldFeatures


def test_the_total_is_told_from_features_by_its_name(sources):
    "Where nothing is drawn there is none, and the last row is a feature's."
    names = {"ice": ["west", "east", "total"], "snow": ["west", "east"]}
    rows = [{"output": o, "feature": f} for o, own in names.items() for f in own]
    read = replace(sources, volumes=rows)
    assert read.volumes_of("ice") == rows[:2]
    assert read.volume_of_all("ice") == rows[2]
    assert read.volumes_of("snow") == rows[3:]
    assert read.volume_of_all("snow") is None


def test_what_predicted_a_feature_has_learnt_from_others(sources):
    "In a cross-validation from those of its fold; what was learnt tells nothing."
    trained = sources.model.splits["train"]
    assert sources.learnt_from("test") == {"south": trained}
    assert sources.learnt_from("all") == {}
    sources.evaluations["crossval"].metrics.folds = [
        FoldFeatures(held_out=["west", "east"], train=["south"])
    ]
    expected = {"west": ["south"], "east": ["south"]}
    assert sources.learnt_from("crossval") == expected
