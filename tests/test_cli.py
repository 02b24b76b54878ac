"""The command line: three commands, exit codes, messages without traceback."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from glacier_inversion.cli import main
from tests import synthetic
from tests.helpers import Run, new_run
from tests.processes import ginv


def test_three_commands_make_maps_and_say_where(finished, tmp_path):
    "Results on stdout, a path a line; the log on stderr."
    run = new_run(tmp_path)
    built = run("build-dataset", "--jobs", "2")
    assert built.stdout.splitlines() == [str(tmp_path / "datasets/region/summary.json")]
    assert "15 tiles written, 0 kept" in built.stderr
    trained = run("train", "--seeds", "1")
    assert trained.stdout.splitlines() == [str(tmp_path / "models/small/seed_001")]
    drawn = run("draw")
    assert [Path(p).name for p in drawn.stdout.splitlines()] == [
        "thickness_mean.tif",
        "thickness_std.tif",
        "thickness_mean.vrt",
        "thickness_std.vrt",
        "maps.qlr",
        "overview.png",
        "holes.csv",
        "volumes.csv",
        "volumes.gpkg",
        "along_thickness.csv",
        "along_thickness.png",
    ]
    assert all(Path(path).exists() for path in drawn.stdout.splitlines())
    # a seed gives the same member in whatever company
    for file in ("best.safetensors", "log.csv"):
        mine = tmp_path / "models/small/seed_001" / file
        other = finished.root / "models/small/seed_001" / file
        assert mine.read_bytes() == other.read_bytes()


def test_a_second_run_of_each_command_keeps_what_is_there(finished, tmp_path):
    "Nothing is trained or built twice, and no member is added."
    shutil.copytree(finished.root, tmp_path, dirs_exist_ok=True)
    arguments = [str(tmp_path / "exp.json"), "--workspace", str(tmp_path)]
    built = CliRunner().invoke(main, ["build-dataset", *arguments])
    assert "0 tiles written, 15 kept" in built.stderr
    trained = CliRunner().invoke(main, ["train", *arguments])
    assert "2 members are finished: kept" in trained.stderr
    members = [p.name for p in (tmp_path / "models/small").glob("seed_*")]
    assert sorted(members) == ["seed_000", "seed_001"]


def test_the_current_folder_is_the_workspace(run, monkeypatch):
    "Unless --workspace says otherwise."
    monkeypatch.chdir(run.root)
    result = CliRunner().invoke(main, ["build-dataset", "exp.json", "--quiet"])
    assert result.exit_code == 0
    assert result.stderr == ""
    assert (run.root / "datasets/region/summary.json").exists()


@pytest.mark.parametrize(
    ("command", "change", "exit_code", "message"),
    [
        ("train", {}, 1, "datasets/region: has no summary.json"),
        ("draw", {}, 1, "datasets/region: has no summary.json"),
        ("train", {"epochs": "3"}, 2, 'epochs: "3" is not allowed'),
        ("build-dataset", {"area_size": 1.0}, 2, "area_size: 1 is no whole number"),
    ],
)
def test_errors_are_one_message_and_an_exit_code(
    run, command, change, exit_code, message
):
    "No traceback."
    run.raw.update(change)
    run.write()
    result = run(command)
    assert result.exit_code == exit_code
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_a_network_that_does_not_fit_is_refused_before_data_are_read(run):
    "Exit code 2 and the table, although the dataset is not built."
    operations = run.raw["model_description"]["inputs"]["slope"]["operations"]
    del operations[1]
    run.write()
    result = run("train")
    assert result.exit_code == 2
    assert (
        "model_description.main[0] concatenation puts images side by side"
        in result.stderr
    )
    assert "8 x 8 x 8" in result.stderr


def test_bad_command_lines(run):
    "click's own exit code 2."
    assert run("train", "--seeds", "5").exit_code == 2
    assert (
        "5 is no seed of the experiment. Must be 0 to 1"
        in run("train", "--seeds", "5").stderr
    )
    assert run("train", "--seeds", "1-").exit_code == 2
    assert run("train", "--seeds", "1-0").exit_code == 2
    assert run("train", "--seeds", "0-99999999999").exit_code == 2
    for command in ("build-dataset", "train", "crossval"):
        for jobs in ("0", "1001", "9" * 20):
            refused = run(command, "--jobs", jobs)
            assert refused.exit_code == 2
            assert f"{jobs} is not in the range 1<=x<=1000" in refused.stderr
    assert CliRunner().invoke(main, ["train", "missing.json"]).exit_code == 2
    assert run("trian").exit_code == 2


def test_schema_is_a_json_schema():
    "Printed for editors."
    result = CliRunner().invoke(main, ["schema"])
    schema = json.loads(result.stdout)
    assert "area_size" in schema["properties"]
    assert schema["properties"]["area_size"]["description"]


def test_a_workspace_that_cannot_be_written(run):
    "The message names the folder."
    (run.root / "datasets").write_text("a file in the way")
    result = run("build-dataset")
    assert result.exit_code == 1
    assert "datasets/region: cannot be written" in result.stderr


def test_an_unsafe_id_makes_no_folder_elsewhere(run):
    "The id '../../evil' is refused."
    features = [
        *synthetic.FEATURES,
        ({"id": "../../evil", "train": 0}, synthetic.box(0, 0, 9, 9)),
    ]
    synthetic.write_outlines(run.root / "data" / "glaciers.shp", features)
    result = run("build-dataset")
    assert result.exit_code == 1
    assert "'../../evil' holds '/'" in result.stderr
    assert not (run.root / "datasets").exists()


def test_progress_is_silent_when_stderr_is_no_terminal(run):
    "A log file holds no bars."
    command = [sys.executable, "-c", "from glacier_inversion.cli import main; main()"]
    command += ["build-dataset", str(run.file), "--workspace", str(run.root), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(("n", "jobs"), [(8, 1), (10, 2), (16, 2)])
def test_too_few_files_may_be_open(run, n, jobs):
    "One message, and nothing that looks complete."
    code, said, noted = ginv(
        run, "build-dataset", f"--jobs {jobs} -q", limits=f"ulimit -n {n};"
    )
    assert (code, said) == (1, "")
    assert "Traceback" not in noted
    assert "Error: " in noted
    assert "open files" in noted
    assert not (run.root / "datasets/region/summary.json").exists()


@pytest.mark.slow
def test_a_workspace_whose_path_is_no_text(run, tmp_path):
    "Works as the current folder, which its name does not matter in; else a message."
    odd = Path(os.fsdecode(os.fsencode(tmp_path / "odd") + b"\xff"))
    try:
        odd.mkdir()
    except OSError:
        pytest.skip("the file system takes UTF-8 alone")
    shutil.copytree(run.root / "data", odd / "data")
    file = Path(shutil.copy(run.file, odd))
    there = Run(odd, file, run.raw)
    code, said, noted = ginv(there, "build-dataset", where=odd)
    assert (code, said) == (0, "datasets/region/summary.json\n"), noted
    for command in ("check", "build-dataset", "train", "draw"):
        code, said, noted = ginv(there, command)
        assert (code, said) == (1, "")
        assert noted.startswith("Error: ")
        assert "the path is not UTF-8. Must be" in noted


@pytest.mark.skipif(sys.platform == "win32", reason="names are Unicode")
def test_names_of_files_are_utf8_in_any_locale(run):
    "Where Python would encode them in ASCII, an umlaut is found all the same."
    (run.root / "data/slope.tif").rename(run.root / "data/Höhe.tif")
    for raster in run.raw["dataset_description"]["rasters"]:
        raster["file"] = raster["file"].replace("slope", "Höhe")
    run.write()
    words = [sys.executable, "-m", "glacier_inversion", "check", str(run.file)]
    done = subprocess.run(
        [*words, "--workspace", str(run.root)],
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "Höhe.tif       EPSG" in done.stdout.decode()


def test_a_killed_training_goes_on_to_the_same_bytes(finished, tmp_path):
    "SIGKILL after the first epochs of the second member."
    for name in ("data", "datasets"):
        shutil.copytree(finished.root / name, tmp_path / name)
    file = shutil.copy(finished.file, tmp_path)
    command = [sys.executable, "-c", "from glacier_inversion.cli import main; main()"]
    command += ["train", str(file), "--workspace", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    checkpoint = tmp_path / "models/small/seed_001/checkpoint.pt"
    while not checkpoint.exists() and process.poll() is None:
        pass
    process.kill()
    process.wait()
    assert checkpoint.exists()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for seed in ("seed_000", "seed_001"):
        for name in ("best.safetensors", "log.csv"):
            mine, whole = (
                r / "models/small" / seed / name for r in (tmp_path, finished.root)
            )
            assert mine.read_bytes() == whole.read_bytes()
        assert not (tmp_path / "models/small" / seed / "checkpoint.pt").exists()
