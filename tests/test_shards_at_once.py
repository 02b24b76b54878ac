"""Commands that share their work: the same bytes, whoever does what."""

import shutil
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from glacier_inversion import load_experiment
from glacier_inversion.errors import (
    MemberError,
    StoppedError,
    TrainingError,
    WorkspaceError,
)
from glacier_inversion.evaluation import fold_training
from glacier_inversion.files import write_bytes
from glacier_inversion.locks import Lock, held_together, lock_of, shared_work_of
from glacier_inversion.sharing.job import Job
from glacier_inversion.training import member_tasks, stacked
from glacier_inversion.workspace import shared_file
from tests import synthetic
from tests.helpers import copy_of, new_run, read_all
from tests.processes import start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="flock is Unix's")
OF_A_MOMENT = {"status.json"}
"""Files that say how far something was when."""
TRAINERS = fold_training, member_tasks
"""The modules that train members for a job."""


def made(root: Path) -> dict[str, bytes]:
    """Return the bytes of all that commands made, but for what they note meanwhile."""
    return {
        name: content
        for name, content in read_all(root).items()
        if Path(name).name not in OF_A_MOMENT
        and ".shared" not in Path(name).parts
        and not name.startswith("data/")
    }


def at_once(run, command: str, n: int, *options: str) -> list[str]:
    """Run all shards of a command at once; return what they print, or say."""
    arguments = [command, run.file, "--workspace", run.root, *options]
    shards = [start(*arguments, "--shard", f"{i}/{n}") for i in range(1, n + 1)]
    said = [shard.communicate(timeout=300) for shard in shards]
    assert [shard.returncode for shard in shards] == [0] * n, said
    return [out or error for out, error in said]


def test_four_shards_build_at_once(run):
    "One of them says what there is, the others that it does; then one is run again."
    other = new_run(run.root / "other")
    shutil.copytree(run.root / "data", other.root / "data", dirs_exist_ok=True)
    assert other("build-dataset").exit_code == 0
    expected = read_all(other.root / "datasets")
    said = at_once(run, "build-dataset", 4, "--jobs", "1")
    assert sum(text.endswith("summary.json\n") for text in said) == 1
    left = "others are at", "nothing is left to do"
    assert sum(any(words in text for words in left) for text in said) == 3
    now = read_all(run.root / "datasets")
    added = now.keys() - expected.keys()
    assert added == {
        "region/.shared/job.json",
        *(f"region/.shared/parts/shard {i} of 4.txt" for i in range(1, 5)),
    }
    assert {name: now[name] for name in expected} == expected
    (run.root / "datasets/region/west/slope.tif").unlink()
    again = run("build-dataset", "--shard", "4/4", "--jobs", "1")
    assert "1 tiles written, 14 kept" in again.stderr
    now = read_all(run.root / "datasets")
    assert {name: now[name] for name in expected} == expected


@pytest.mark.usefixtures("without_processes")
def test_a_shard_of_other_outlines_or_options_begins_anew(finished, tmp_path):
    "Though another one has done all that was asked for before; one of its array not."
    run = copy_of(finished, tmp_path)
    assert "0 tiles written" in run("build-dataset", "--shard", "1/2").stderr
    features = [*synthetic.FEATURES]
    features[0] = features[0][0], features[0][1].buffer(-100)
    synthetic.write_outlines(run.root / "data/glaciers.shp", features)
    built = run("build-dataset", "--shard", "1/3")
    assert "3 tiles written, 12 kept" in built.stderr, built.output
    weights = run.root / "models/small/seed_000/best.safetensors"
    assert run("train", "--overwrite", "--shard", "1/2").exit_code == 0
    before = weights.stat().st_mtime_ns
    assert "nothing is left" in run("train", "--overwrite", "--shard", "2/2").stderr
    assert run("train", "--shard", "1/4").exit_code == 0
    assert weights.stat().st_mtime_ns == before
    assert run("train", "--overwrite", "--shard", "1/5").exit_code == 0
    assert weights.stat().st_mtime_ns != before
    assert run("evaluate", "--shard", "1/3").exit_code == 0
    assert "nothing is left" in run("evaluate", "--shard", "2/3").stderr
    write_bytes(run.root / "models/small/calibration.json", b"no calibration")
    assert "It is left aside" in run("evaluate", "--shard", "3/3").stderr


@pytest.mark.usefixtures("without_processes")
def test_a_shard_of_other_profiles_draws_them(finished, tmp_path):
    "They are drawn by the last one, though all maps are there."
    run = copy_of(finished, tmp_path)
    shutil.rmtree(run.root / "drawings")
    profiles = run.raw["drawing_description"]["profiles"]
    run.raw["drawing_description"]["profiles"] = []
    run.write()
    assert run("draw", "--shard", "1/3").exit_code == 0
    assert "nothing is left" in run("draw", "--shard", "2/3").stderr
    assert not list(run.root.glob("drawings/small/**/*along*"))
    run.raw["drawing_description"]["profiles"] = profiles
    run.write()
    drawn = run("draw", "--shard", "3/3")
    assert drawn.exit_code == 0, drawn.output
    assert list(run.root.glob("drawings/small/**/*along*"))


@pytest.mark.usefixtures("without_processes")
def test_a_shard_reports_the_models_that_it_has_finished(finished, tmp_path):
    "With what failed of them, though another one has finished the others."
    run = copy_of(finished, tmp_path)
    shutil.rmtree(run.root / "drawings")
    shutil.copytree(run.root / "models/small", run.root / "models/other")
    (run.root / "datasets/region/west/slope.tif").unlink()
    description = run.raw["drawing_description"]
    description |= {"features": ["south", "west"], "profiles": []}
    run.write()
    assert run("draw", "--shard", "1/2").exit_code == 3
    description["models"] = ["small", "other"]
    run.write()
    drawn = run("draw", "--shard", "2/2")
    assert drawn.exit_code == 3, drawn.output
    assert "drawings/small: nothing is left to do" in drawn.stderr
    assert "ERROR: west" in drawn.stderr
    assert "drawings/other/south" in drawn.stdout


@pytest.mark.usefixtures("without_processes")
@pytest.mark.parametrize("command", ["crossval --folds 3", "evaluate"])
def test_a_command_that_works_alone_is_refused_at_once(finished, tmp_path, command):
    "Before it has trained or predicted anything, while shards are at work."
    run = copy_of(finished, tmp_path)
    split = "test" if command == "evaluate" else "crossval"
    shard = Lock(lock_of(run.root / "evaluations/small" / split))
    assert shard.try_shared()
    try:
        ended = run(*command.split())
    finally:
        shard.release()
    assert ended.exit_code == 1
    assert "another command is" in ended.stderr
    assert not list(run.root.rglob("folds"))


@pytest.mark.usefixtures("without_processes")
def test_folds_that_are_trained_are_looked_at_once(finished, tmp_path, monkeypatch):
    "Their samples are prepared to see whether members may stay, not for each member."
    run = copy_of(finished, tmp_path)
    run.raw.update(epochs=1)
    run.write()
    command = "crossval", "--folds", "3", "--shard", "1/1"
    assert run(*command).exit_code == 0
    prepared = []
    write = member_tasks.write_samples

    def count(*given):
        prepared.append(given)
        write(*given)

    monkeypatch.setattr(member_tasks, "write_samples", count)
    assert run(*command).exit_code == 0
    assert len(prepared) == 3
    assert not list(run.root.rglob("samples"))


@pytest.mark.usefixtures("without_processes")
@pytest.mark.parametrize("slip", [None, [], ["--shard", "1/2"]])
@pytest.mark.parametrize("command", ["train", "crossval --folds 3"])
def test_a_shard_that_is_run_again_overwrites_once(
    finished, tmp_path, monkeypatch, command, slip
):
    "What was trained before it was killed stays, whatever was refused meanwhile."
    run = copy_of(finished, tmp_path)
    run.raw.update(seeds_number=2, epochs=1)
    run.write()
    do, n_trained = member_tasks.train_one, 0

    def stop(experiment, folder, device, seed):
        nonlocal n_trained
        n_trained += 1
        if n_trained > 1:
            message = "stopped"
            raise StoppedError(message)
        return do(experiment, folder, device, seed)

    command = command.split()
    options = *command, "--overwrite", "--shard", "1/2"
    with monkeypatch.context() as patch:
        for module in TRAINERS:
            patch.setattr(module, "train_one", stop)
        assert "stopped" in run(*options).stderr
    folders = "seed_000" if command[0] == "train" else "folds/*1_of_3*/seed_000"
    (weights,) = (run.root / "models/small").glob(f"{folders}/best.safetensors")
    before = weights.stat().st_mtime_ns
    if slip is not None:
        run.raw["epochs"] = 2
        run.write()
        assert "take the change back" in run(*command, *slip).stderr
        run.raw["epochs"] = 1
    run.raw["drawing_description"]["features"] = []  # which trains nothing else
    run.write()
    ended = run(*options)
    assert ended.exit_code == 0, ended.output
    assert weights.stat().st_mtime_ns == before
    assert not list(run.root.rglob("samples"))
    assert run(*options).exit_code == 0
    assert weights.stat().st_mtime_ns != before


@pytest.mark.usefixtures("without_processes")
@pytest.mark.parametrize("command", ["train", "crossval --folds 3"])
def test_a_member_that_is_gone_is_trained_by_who_comes_next(
    finished, tmp_path, monkeypatch, command
):
    "Though shards have noted that it was trained."
    run = copy_of(finished, tmp_path)
    run.raw.update(seeds_number=2, epochs=1)
    run.write()
    options = *command.split(), "--overwrite", "--shard", "1/1"
    do = member_tasks.train_one

    def train_and_lose(experiment, folder, device, seed):
        result = do(experiment, folder, device, seed)
        if seed:
            shutil.rmtree(folder / "seed_000")
        return result

    with monkeypatch.context() as patch:
        for module in TRAINERS:
            patch.setattr(module, "train_one", train_and_lose)
        assert "members could not be trained" in run(*options).stderr
    ended = run(*options)
    assert ended.exit_code == 0, ended.output
    assert not list(run.root.rglob("samples"))


@pytest.mark.usefixtures("without_processes")
@pytest.mark.parametrize("function", ["remove_scratches", "write_job"])
def test_samples_do_not_stay_where_a_job_cannot_begin(
    finished, tmp_path, monkeypatch, function
):
    "The disk that they have filled is to be freed, as the message says."
    run = copy_of(finished, tmp_path)

    def fail(*_):
        message = "the disk is full"
        raise WorkspaceError(message)

    monkeypatch.setattr(f"glacier_inversion.sharing.job.{function}", fail)
    assert "the disk is full" in run("train", "--shard", "1/1").stderr
    assert not list(run.root.rglob("samples"))


@pytest.mark.usefixtures("without_processes")
def test_a_member_that_is_left_is_trained_by_the_shard_that_began(
    finished, tmp_path, monkeypatch
):
    "Once it is alone, on samples that it writes again: others have removed the first."
    run = copy_of(finished, tmp_path)
    folder, take = run.root / "models/small", Job._take

    def lose(job, hold):
        monkeypatch.setattr(Job, "_take", take)
        # another shard has forgotten a failure, and died at the task
        shared_file(shared_work_of(folder) / "tasks", "seed 1").unlink()
        shutil.rmtree(folder / "seed_001")
        take(job, hold)

    monkeypatch.setattr(Job, "_take", lose)
    ended = run("train", "--overwrite", "--shard", "1/2")
    assert ended.exit_code == 0, ended.output
    assert (folder / "seed_001/best.safetensors").exists()
    assert not list(run.root.rglob("samples"))


@pytest.mark.usefixtures("without_processes")
def test_folds_are_of_shards_or_of_one_command(finished, tmp_path):
    "Shards wait for it; it is refused, be it that of a blend, and has changed nothing."
    run = copy_of(finished, tmp_path)
    run.raw.update(epochs=1, seeds_number=1)
    run.write()
    command = "crossval", "--folds", "3", "--overwrite"
    folds = run.root / "models/small/folds"
    said = f"{folds}: another command is cross-validating into it"
    alone = Lock(lock_of(folds))
    assert alone.try_alone()
    threading.Timer(0.5, alone.release).start()
    shard = run(*command, "--shard", "1/1")
    assert shard.exit_code == 0
    assert f"{said}: waiting" in shard.stderr
    before = made(run.root)
    with held_together(folds, "cross-validating into"):
        assert said in run(*command).stderr
        run.raw["drawing_description"] |= {"models": ["other", "small"], "blend": "all"}
        run.write()
        shutil.copytree(run.root / "models/small", run.root / "models/other")
        assert said in run(*command).stderr
    shutil.rmtree(run.root / "models/other")
    assert made(run.root) == before | {
        "exp.json": made(run.root)["exp.json"]  # of the blend now
    }


@pytest.mark.usefixtures("without_processes")
@pytest.mark.parametrize("command", ["train", "crossval --folds 3"])
def test_a_training_in_which_none_learns_has_ended(
    finished, tmp_path, monkeypatch, command
):
    "So it begins anew, as the message advises; until then it says why again."
    run = copy_of(finished, tmp_path)
    run.raw.update(epochs=1, seeds_number=1)
    run.write()
    options = *command.split(), "--overwrite", "--shard", "1/1"

    def fail(*_):
        message = "seed 0: its loss is not finite"
        raise MemberError(message)

    with monkeypatch.context() as patch:
        patch.setattr(stacked, "Training", fail)
        assert "none of the members learns" in run(*options).stderr
    again = run(*(option for option in options if option != "--overwrite"))
    assert "none of the members learns" in again.stderr
    assert "its loss is not finite" in again.stderr
    ended = run(*options)
    assert ended.exit_code == 0, ended.output


def test_what_could_not_be_trained_is_told_before_what_does_not_learn(run):
    "The job stays open, so that --overwrite would begin nothing anew."
    experiment, ended = load_experiment(run.file), []
    job = SimpleNamespace(forget=list, finish=lambda: ended.append(1))
    folds = run.root / "a", run.root / "b"
    members = {f"{fold.name} seed 0": (fold, 0) for fold in folds}
    results = {name: {} for name in members}
    says = "could not be trained", "none of the members learns"
    for n_ended, (fold, why) in enumerate(zip(folds, says, strict=True)):
        (fold / "seed_000").mkdir(parents=True)
        write_bytes(fold / "seed_000/failure.txt", b"it does not learn")
        with pytest.raises(TrainingError, match=why):
            member_tasks.end_training(job, experiment, results, members)
        assert len(ended) == n_ended


@pytest.mark.usefixtures("without_processes")
def test_no_samples_stay_where_a_fold_cannot_be_trained(
    finished, tmp_path, monkeypatch
):
    "Those of the folds behind it neither."
    run = copy_of(finished, tmp_path)
    run.raw.update(epochs=1, seeds_number=2)
    run.write()
    do = fold_training.train_one

    def lose_one(experiment, folder, device, seed):
        return do(experiment, folder, device, seed) if seed else {"failure": "lost"}

    monkeypatch.setattr(fold_training, "train_one", lose_one)
    ended = run("crossval", "--folds", "3", "--shard", "1/1")
    assert "could not be trained" in ended.stderr
    assert not list(run.root.rglob("samples"))


def test_who_waits_for_samples_holds_nothing(tmp_path, monkeypatch):
    "Two that hold the folder together would keep each other from writing them."
    folder, held = tmp_path / "fold", []
    other, probe = Lock(lock_of(folder)), Lock(lock_of(folder))
    assert other.try_shared()

    def look(seconds):
        other.release()
        held.append(not probe.try_alone())
        probe.release()

    def write(experiment, tiles, folder, *_):
        write_bytes(folder / "samples/data.pt", b"")

    monkeypatch.setattr(member_tasks.time, "sleep", look)
    monkeypatch.setattr(member_tasks, "_prepare", write)
    experiment = SimpleNamespace(seeds_number=2)
    with member_tasks.sharing_samples(experiment, dict, folder, "token", (), {}):
        assert probe.try_shared()
        assert held == [False]


@pytest.mark.usefixtures("without_processes")
@pytest.mark.parametrize(
    "why", ["its process was lost", "seed 0: its process was lost"]
)
def test_a_member_that_fails_is_named(finished, tmp_path, monkeypatch, why):
    "Once, whether or not the reason names it, which is known of a process no more."
    run = copy_of(finished, tmp_path)
    monkeypatch.setattr(
        "glacier_inversion.training.member_tasks.train_one", lambda *_: {"failure": why}
    )
    said = run("train", "--overwrite", "--shard", "1/1").stderr
    assert "seed 0: its process was lost\n" in said
    assert "seed 0: seed 0" not in said


@pytest.mark.usefixtures("without_processes")
def test_a_member_whose_process_was_lost_is_not_tried_by_who_is_late(
    finished, tmp_path, monkeypatch
):
    "Of the same array: it would lose its process, too. One that is run again tries it."
    run = copy_of(finished, tmp_path)
    options = "train", "--overwrite", "--shard"
    with monkeypatch.context() as patch:
        lost = {"failure": "its process was lost"}
        patch.setattr(member_tasks, "train_one", lambda *_: lost)
        assert "could not be trained" in run(*options, "1/2").stderr
    assert "could not be trained" in run(*options, "2/2").stderr
    assert not list(run.root.glob("models/small/seed_*/best.safetensors"))
    assert run(*options, "1/2").exit_code == 0


@pytest.mark.usefixtures("without_processes")
def test_shards_train_evaluate_and_draw_the_same(finished, tmp_path):
    "Whichever of them does it, here without processes of its own."
    alone = copy_of(finished, tmp_path / "alone")
    assert alone("evaluate").exit_code == 0
    shared = copy_of(finished, tmp_path / "shared")
    for folder in ("models", "drawings"):
        shutil.rmtree(shared.root / folder)
    for number, command in enumerate(("train", "draw", "evaluate"), 1):
        ended = shared(command, "--shard", f"{number}/3")
        assert ended.exit_code == 0, ended.output
    assert made(shared.root) == made(alone.root)
    assert not list(shared.root.rglob("samples"))


@pytest.mark.usefixtures("without_processes")
@pytest.mark.parametrize(
    ("command", "at", "written"),
    [
        ("evaluate", "split_scores.score_outputs", "test/metrics.json"),
        ("crossval --folds 3", "crossval.score_outputs", "crossval/metrics.json"),
        ("train", "member_tasks.draw_curves", ""),
    ],
)
def test_who_is_stopped_at_the_end_leaves_it_to_others(
    finished, tmp_path, monkeypatch, command, at, written
):
    "Who finish; what has failed meanwhile is tried anew, on the samples that are there."
    run = copy_of(finished, tmp_path)
    run.raw.update(epochs=1)
    run.write()
    command = command.split()
    if command[0] != "evaluate":
        command.append("--overwrite")

    def stop(*_):
        message = "stopped"
        raise KeyboardInterrupt(message)

    package = "training" if command[0] == "train" else "evaluation"
    with monkeypatch.context() as patch:
        patch.setattr(f"glacier_inversion.{package}.{at}", stop)
        if command[0] == "train":
            train_one = "glacier_inversion.training.member_tasks.train_one"
            patch.setattr(train_one, lambda *_: {"failure": "its process was lost"})
        assert run(*command, "--shard", "1/2").exit_code == 130
    again = "1/2" if command[0] == "train" else "2/2"
    ended = run(*command, "--shard", again)
    assert ended.exit_code == 0, ended.output
    if written:
        assert (run.root / "evaluations/small" / written).exists()
    assert len(list(run.root.glob("models/small/seed_*/best.safetensors"))) == 2
    assert not list(run.root.rglob("samples"))


@pytest.mark.slow
def test_shards_of_every_command_at_once(tmp_path):
    "All folds of a cross-validation, too."
    alone = new_run(tmp_path / "alone")
    alone.raw.update(epochs=2)
    alone.write()
    shared = copy_of(alone, tmp_path / "shared")
    commands = {
        "build-dataset": [],
        "train": ["--jobs", "1"],
        "crossval": ["--folds", "3", "--jobs", "1"],
        "evaluate": [],
        "draw": [],
    }
    for command, options in commands.items():
        ended = alone(command, *options)
        assert ended.exit_code == 0, ended.output
        at_once(shared, command, 3, *options)
    at_once(shared, "train", 2)
    ours, expected = made(shared.root), made(alone.root)
    assert ours.keys() == expected.keys()
    for name, content in expected.items():
        assert name.endswith("sources.json") or ours[name] == content, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard", "5/4"], "'5/4' is no shard. Must be I/N, such as 1/4, 2/4"),
        (["--shard", "1/2", "--scheduler", "tcp://x:1"], "--shard 1/2: cannot stand"),
        (["--jobs", "2", "--scheduler", "tcp://x:1"], "--jobs 2: cannot stand beside"),
        (["--tensorboard", "--shard", "1/2"], "--tensorboard: cannot stand beside"),
    ],
)
def test_options_that_do_not_go_together(run, options, message):
    ended = run("train", *options)
    assert ended.exit_code == 2
    assert message in " ".join(ended.stderr.split())
