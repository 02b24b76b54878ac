"""What a report is made of."""

from dataclasses import replace


def test_the_total_is_told_from_features_by_its_name(sources):
    "Where nothing is drawn there is none, and the last row is a feature's."
    names = {"ice": ["west", "east", "total"], "snow": ["west", "east"]}
    rows = [{"output": o, "feature": f} for o, own in names.items() for f in own]
    read = replace(sources, volumes=rows)
    assert read.volumes_of("ice") == rows[:2]
    assert read.volume_of_all("ice") == rows[2]
    assert read.volumes_of("snow") == rows[3:]
    assert read.volume_of_all("snow") is None
