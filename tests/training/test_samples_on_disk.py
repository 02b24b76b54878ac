"""What members are trained on, written and mapped to memory."""

import shutil
import weakref
from pathlib import Path

import pytest
import torch

from glacier_inversion.errors import DatasetError, WorkspaceError
from glacier_inversion.training import samples_on_disk as module
from glacier_inversion.training.data import prepare
from glacier_inversion.training.engine import train_members
from tests.training.helpers import experiment, made_up_tiles, some_tiles


def read_all(data):
    """Return all that samples give."""
    numbers = []
    for samples in (data.train, data.validation, data.extra):
        drawn = samples.draw(torch.Generator().manual_seed(0))
        for chosen in (drawn, samples.nominal()):
            for index, inputs, targets in samples.batches(chosen, 100):
                numbers += [index, samples.points[index], targets, *inputs.values()]
    return [part.numpy().tobytes() for part in numbers]


def test_what_is_mapped_is_what_memory_holds(tmp_path):
    "Bit for bit; what is written is gone afterwards, with its folder."
    extra = {"dataset": "other", "share": 0.5}
    checked, folder = experiment(extra_training=extra), tmp_path / "model"
    tiles = {**some_tiles(), "extra": [made_up_tiles(8, "train")]}
    data = prepare(checked, tiles)
    folder.mkdir()
    with module.samples_on_disk(checked, tiles, folder) as mapped:
        again = module.map_samples(folder)  # as another process does
        for other in (mapped, again):
            assert other.model(checked).identity == data.model(checked).identity
            assert other.scales == data.scales
            assert read_all(other) == read_all(data)
    assert not folder.exists()


def test_what_a_killed_run_left_is_replaced(tmp_path):
    "Whatever it is; what else is in the folder stays."
    (tmp_path / "samples/train").mkdir(parents=True)
    (tmp_path / "samples/train/images").write_bytes(b"half")
    (tmp_path / "samples.pt").write_bytes(b"of an earlier version")
    (tmp_path / "model.json").write_text("{}")
    with module.samples_on_disk(experiment(), some_tiles(), tmp_path) as data:
        assert len(data.train) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]


def test_nothing_is_left_where_nothing_can_be_trained(tmp_path):
    "The error comes through."
    folder = tmp_path / "model"
    folder.mkdir()
    tiles = {**some_tiles(), "train": []}
    with (
        pytest.raises(DatasetError, match="hold no samples"),
        module.samples_on_disk(experiment(), tiles, folder),
    ):
        pass
    assert not folder.exists()


@pytest.mark.skipif(
    not Path("/proc/self/maps").exists(), reason="reads what Linux tells of memory"
)
def test_nothing_is_renamed_or_removed_while_it_is_mapped(tmp_path, monkeypatch):
    "Windows would refuse to."
    seen = []

    def watched(owner, name):
        original = getattr(owner, name)

        def act(path, *arguments, **options):
            mapped = [
                line
                for line in Path("/proc/self/maps").read_text().splitlines()
                if str(path) in line
            ]
            assert not mapped
            seen.append((name, Path(path).name))
            return original(path, *arguments, **options)

        monkeypatch.setattr(owner, name, act)

    for owner, name in ((Path, "replace"), (Path, "unlink"), (shutil, "rmtree")):
        watched(owner, name)
    checked = experiment(epochs=1, seeds_number=1)
    train_members(checked, some_tiles(), tmp_path / "model")
    assert {("replace", ".images.part"), ("rmtree", "samples")} <= set(seen)


def test_an_error_comes_through_where_files_cannot_be_removed(tmp_path, monkeypatch):
    "They are left for the next run."
    folder = tmp_path / "model"
    folder.mkdir()

    def refuse(*paths):
        if any(path.exists() for path in paths):
            message = "cannot be removed"
            raise WorkspaceError(message)

    def fail():
        with module.samples_on_disk(experiment(), some_tiles(), folder):
            monkeypatch.setattr(module, "remove", refuse)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    monkeypatch.undo()
    assert (folder / "samples/data.pt").exists()
    with module.samples_on_disk(experiment(), some_tiles(), folder):
        pass
    assert not folder.exists()


def test_tiles_are_let_go_one_after_the_other(tmp_path):
    "When the next is read the one before is gone."
    seen = []

    def read(parts):
        while parts:
            assert [ref() for ref in seen] == [None] * len(seen)
            part = parts.pop(0)
            seen.append(weakref.ref(part))
            yield part
            del part

    tiles = some_tiles()
    n = sum(map(len, tiles.values()))
    with module.samples_on_disk(
        experiment(), {split: read(parts) for split, parts in tiles.items()}, tmp_path
    ):
        assert [ref() for ref in seen] == [None] * n
    assert n > 2


@pytest.mark.skipif(
    not Path("/proc/self/smaps").exists(), reason="reads what Linux tells of memory"
)
def test_the_system_may_take_back_what_is_mapped(tmp_path):
    "No page of the images was written to, so each can be read again from the file."
    tiles = {**some_tiles(), "extra": [made_up_tiles(8, "train")]}
    with module.samples_on_disk(experiment(), tiles, tmp_path) as data:
        read_all(data)
        lines = Path("/proc/self/smaps").read_text().splitlines()
        begin = next(i for i, line in enumerate(lines) if line.endswith("train/images"))
        fields = dict(line.split(":") for line in lines[begin + 1 : begin + 20])
    kb = {name: int(fields[name].split()[0]) for name in ("Rss", "Anonymous")}
    assert kb["Rss"] * 1024 > data.train.source.nbytes / 2
    assert kb["Anonymous"] == 0
