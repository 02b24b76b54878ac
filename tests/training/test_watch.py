"""What TensorBoard is told of a training."""

import sys

import pytest

from glacier_inversion.training.engine import train_members
from glacier_inversion.training.model.model import finished_seeds
from glacier_inversion.workspace import Workspace
from tests.helpers import Run
from tests.training.helpers import Stopping, experiment, read_log, some_tiles


def test_tensorboard_shows_each_epoch_once(tmp_path):
    "Those before an interruption, too."
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import (  # noqa: PLC0415
        EventAccumulator,
    )

    place = Workspace(tmp_path)
    checked = experiment(epochs=3, seeds_number=1)
    with pytest.raises(KeyboardInterrupt):
        train_members(
            checked,
            some_tiles(),
            place.model("small"),
            progress=Stopping(2),
            tensorboard=True,
        )
    train_members(checked, some_tiles(), place.model("small"), tensorboard=True)
    events = EventAccumulator(str(place.model("small") / "tensorboard" / "seed_000"))
    events.Reload()
    log = read_log(place.member("small", 0))
    assert set(events.Tags()["scalars"]) == set(log[0]) - {"epoch"}
    shown = [(e.step, e.value) for e in events.Scalars("val_loss")]
    assert shown == [
        (i, pytest.approx(row["val_loss"], rel=1e-6)) for i, row in enumerate(log)
    ]


def test_tensorboard_that_cannot_be_written_is_warned_of(tmp_path, caplog):
    "Training goes on."
    pytest.importorskip("tensorboard")
    place = Workspace(tmp_path)
    place.model("small").mkdir(parents=True)
    (place.model("small") / "tensorboard").write_text("")
    train_members(
        experiment(epochs=2), some_tiles(), place.model("small"), tensorboard=True
    )
    assert caplog.text.count("no more is written for TensorBoard") == 1
    assert finished_seeds(place.model("small")) == [0, 1]


def test_tensorboard_that_is_missing_is_named(finished: Run, monkeypatch):
    "Before anything is trained, with what to install."
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    before = finished_seeds(Workspace(finished.root).model("small"))
    result = finished("train", "--tensorboard", "--overwrite")
    assert result.exit_code == 2
    assert finished_seeds(Workspace(finished.root).model("small")) == before == [0, 1]
    assert "pip install 'glacier-inversion[tensorboard]'" in result.stderr
