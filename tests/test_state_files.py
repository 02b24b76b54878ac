"""Files that commands wrote, edited since: refused with their names, or harmless."""

import hashlib
import json
import os
import shutil

import pytest

from glacier_inversion.state_files import (
    NewerFileError,
    digest_of,
    read_state,
    write_state,
)
from tests.helpers import Run

DEEP = "[" * 100_000
EDITS = [
    ("features/0/bounds", None),
    ("features/0/bounds", [0.0, 0.0, 1e300, 1e300]),
    ("features/0/bounds", [0.0, 0.0, float("nan"), 100.0]),
    ("features/0/bounds", [500.0, 0.0, 0.0, 500.0]),
    ("features/0/bounds/0", "left"),
    ("features/0/columns", None),
    ("failed", [{"feature": "a"}]),
    ("features/0/feature", "../../evil"),
    ("features/1/feature", "north-1"),
    ("features/0/rasters", {}),
    ("features/0/rasters/slope", {"valid": 1.0}),
    ("features/0/rasters/slope/sha256", 5),
    ("features", []),
    ("warping", {}),
    ("warping/slope", {}),
    ("warping/slope/transform", [0, 0, 0, 0, 0, 0]),
    ("warping/slope/crs_wkt", "nowhere"),
    ("units", None),
    ("description", []),
    ("description/rasters/0/resolution", 1e400),
    ("description/rasters/0/name", None),
]


@pytest.fixture
def copied(finished, tmp_path):
    "A copy of the finished workspace."
    shutil.copytree(finished.root, tmp_path, dirs_exist_ok=True)
    return Run(tmp_path, tmp_path / "exp.json", json.loads(finished.file.read_text()))


def edit(path, keys, value):
    """Change one value of a JSON file."""
    content = json.loads(path.read_text())
    *way, last = [int(k) if k.isdecimal() else k for k in keys.split("/")]
    place = content
    for key in way:
        place = place[key]
    place[last] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(("keys", "value"), EDITS, ids=str)
def test_an_edited_summary_is_refused_with_its_name(copied, keys, value):
    "Wherever it was edited, whichever command reads it, and with what to do."
    edit(copied.root / "datasets/region/summary.json", keys, value)
    result = copied("draw")
    assert result.exit_code == 1
    assert (
        f"{copied.root}/datasets/region: has a broken summary.json (" in result.stderr
    )
    assert "Run 'ginv build-dataset'" in result.stderr
    assert copied("train").stderr == result.stderr


@pytest.mark.parametrize("content", ["", DEEP, "{}", "null", '{"a": NaN}', "1" * 9999])
@pytest.mark.parametrize(
    ("file", "command", "exit_code"),
    [
        ("datasets/region/summary.json", "draw", 1),
        ("models/small/model.json", "draw", 1),
        ("models/small/model.json", "train", 1),
        ("models/small/status.json", "train", 0),
    ],
)
def test_what_is_no_such_file_at_all(copied, file, command, exit_code, content):
    "The file is named, except that a training's times do not matter."
    (copied.root / file).write_text(content)
    options = ["--status"] if "status" in file else []
    result = copied(command, *options)
    assert result.exit_code == exit_code, result.output
    name = "datasets/region" if "summary" in file else "model.json"
    assert (name in result.stderr) == bool(exit_code)


@pytest.mark.parametrize("command", ["draw", "train", "check"])
@pytest.mark.parametrize("file", ["model.json", "status.json", "seed_000/log.csv"])
def test_a_folder_or_bytes_in_place_of_a_file_of_a_model(copied, command, file):
    "A message with the model's folder, or nothing where it does not matter."
    path = copied.root / "models/small" / file
    for put in (path.mkdir, lambda: path.write_bytes(b"\xff\xfe\0")):
        path.unlink() if path.is_file() else path.rmdir()
        put()
        result = copied(command)
        assert result.exit_code in (0, 1)
        assert ("models/small" in result.output) or result.exit_code == 0


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("normalization/inputs/slope", None),
        ("normalization/inputs/slope/mean", "0"),
        ("normalization/inputs/slope/std", 0),
        ("normalization/inputs/slope/std", 10**400),
        ("normalization/inputs/slope/mean", float("inf")),
        ("normalization", []),
        ("dataset", {"a": {}}),
        ("dataset", None),
        ("normalization/inputs", {"slope": {"mean": 0.0, "std": 1.0}}),
        ("splits", {"train": [1], "validation": [], "test": []}),
        ("units", {"slope": 5}),
        ("experiment/area_size", 1e300),
        ("experiment", DEEP[:900]),
    ],
    ids=str,
)
def test_an_edited_model_is_refused_with_its_name(copied, keys, value):
    "Wherever it was edited."
    edit(copied.root / "models/small/model.json", keys, value)
    result = copied("draw")
    assert result.exit_code == 1
    assert "models/small/model.json" in result.stderr
    assert "Must be as 'ginv train' wrote it" in result.stderr
    assert result.stderr.count("model.json") == 1  # and not in the reason, too


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("jobs", 10**30),
        ("jobs", -5),
        ("training", {"a": 1}),
        ("seconds_per_epoch", {"0": "x"}),
        ("seconds_per_epoch", {"x": 1}),
        ("seconds_per_epoch", {"0": 1e308, "1": 1e308}),
    ],
    ids=str,
)
def test_an_edited_status_does_not_matter(copied, keys, value):
    "Whatever it says of the time, the members are told of."
    edit(copied.root / "models/small/status.json", keys, value)
    result = copied("train", "--status")
    assert result.exit_code == 0
    assert "2 of 2 members finished." in result.stdout


def test_a_folder_in_place_of_the_reason_of_a_failure(copied):
    "The member has failed, for no reason that can be told."
    (copied.root / "models/small/seed_000/best.safetensors").unlink()
    (copied.root / "models/small/seed_000/failure.txt").mkdir()
    result = copied("train")
    assert result.exit_code == 0, result.output
    assert "seed 0 failed in an earlier run" in result.stderr


def test_features_that_are_not_there_are_named_in_few_words(copied):
    "The first of them, and how many more."
    copied.raw["drawing_description"]["features"] = [f"x{i}" for i in range(3000)]
    copied.write()
    result = copied("draw")
    assert result.exit_code == 1
    assert result.stderr.count("is not in") == 20
    assert "and 2,980 more are not there" in result.stderr


def test_a_pipe_in_the_place_of_a_state_file_hangs_nothing(tmp_path):
    "Nobody will ever write into it."
    os.mkfifo(tmp_path / "summary.json")
    with pytest.raises(ValueError, match="is no file"):
        read_state(tmp_path / "summary.json", 1)


def test_a_format_is_written_and_read(tmp_path):
    "An earlier file without a number has the first."
    path = tmp_path / "state.json"
    write_state(path, {"a": [1]}, 2)
    assert read_state(path, 2) == {"format": 2, "a": [1]}
    path.write_text('{"a": 1}')
    assert read_state(path, 2) == {"format": 1, "a": 1}


def test_a_state_is_written_for_people_too(tmp_path):
    "A line for each value, names as they are; the format first."
    write_state(tmp_path / "state.json", {"b": ["Öræfajökull"], "a": {}}, 3)
    lines = [
        "{",
        '  "format": 3,',
        '  "b": [',
        '    "Öræfajökull"',
        "  ],",
        '  "a": {}',
        "}",
        "",
    ]
    assert (tmp_path / "state.json").read_bytes() == "\n".join(lines).encode()


def test_a_digest_is_that_of_one_spelling():
    "Which files of earlier versions hold: keys in order, and ASCII alone."
    spelt = b'{"a": {"c": "\\u00d6", "d": 0.1}, "b": [1, null]}'
    content = {"b": [1, None], "a": {"d": 0.1, "c": "Ö"}}
    assert digest_of(content) == hashlib.sha256(spelt).hexdigest()


@pytest.mark.parametrize("number", ["2", 0, -1, 1.5, True, None, [1]])
def test_what_is_no_number_of_a_format_is_said(tmp_path, number):
    "As of any file that is broken."
    (tmp_path / "state.json").write_text(json.dumps({"format": number}))
    with pytest.raises(ValueError, match="its format is"):
        read_state(tmp_path / "state.json", 2)


@pytest.mark.parametrize(
    ("file", "command", "exit_code"),
    [
        ("datasets/region/summary.json", "draw", 1),
        ("datasets/region/summary.json", "train", 1),
        ("datasets/region/sources.json", "build-dataset", 1),
        ("datasets/region/summary.json", "build-dataset", 1),
        ("models/small/model.json", "draw", 1),
        ("models/small/model.json", "check", 1),
        ("models/small/status.json", "train", 0),
    ],
)
def test_files_of_newer_versions_are_refused(copied, file, command, exit_code):
    "With what to do, and nothing changed; times of a training do not matter."
    edit(copied.root / file, "format", 99)
    before = (copied.root / file).read_bytes()
    options = ["--status"] if "status" in file else []
    result = copied(command, *options)
    assert result.exit_code == exit_code, result.output
    if exit_code:
        assert f"{copied.root / file}: has format 99, that of a newer" in result.output
        assert "Update glacier_inversion." in result.output
    assert (copied.root / file).read_bytes() == before


def test_a_number_of_a_newer_format_is_an_error_of_its_own(tmp_path):
    "So that readers do not take the file for broken."
    write_state(tmp_path / "state.json", {}, 3)
    with pytest.raises(NewerFileError, match="Must be 2 at most"):
        read_state(tmp_path / "state.json", 2)


@pytest.mark.parametrize(
    "content", [b"\xff", b"{", b"[" * 100_000, b"[NaN]", b"1" * 5000, b""]
)
def test_a_file_that_is_no_json_has_one_kind_of_error(tmp_path, content):
    "ValueError, with a text."
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"\w"):
        read_state(tmp_path / "x.json", 1)
