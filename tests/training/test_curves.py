"""The picture of the epochs."""

import shutil

import numpy as np
import pytest

from glacier_inversion.training.curves import draw_training_curves
from glacier_inversion.training.status import read_status
from glacier_inversion.workspace import Workspace
from tests.training.helpers import experiment, read_log, train_all


@pytest.mark.parametrize(
    "content", ["", "epoch,loss\n0,abc\n", "epoch,loss\n0,1\n", "x" * 200_000]
)
def test_a_log_that_cannot_be_read_is_left_out_of_the_picture(
    tmp_path, caplog, content
):
    "Pictures do not stop an ensemble; nor do folders that only look like members."
    checked = experiment(epochs=1, seeds_number=2)
    train_all(checked, tmp_path)
    folder = tmp_path / "models/small"
    (folder / "seed_000/log.csv").write_text(content)
    shutil.copytree(folder / "seed_001", folder / "seed_old")
    assert len(train_all(checked, tmp_path)) == 2
    assert "log.csv: cannot be read" in caplog.text
    assert (folder / "training_curves.png").exists()
    status = read_status(checked, Workspace(tmp_path))
    assert [member.n_epochs for member in status.members] == [0, 1]


def test_curves_show_every_member_and_its_best_epoch(tmp_path, monkeypatch):
    "Those that stopped early, too; the picture lies beside the members."
    drawn = {}

    def watch(path, model, logs, criterion, best):
        drawn.update(model=model, logs=logs, criterion=criterion, best=best)
        draw_training_curves(path, model, logs, criterion, best)

    name = "glacier_inversion.training.ensemble_folder.draw_training_curves"
    monkeypatch.setattr(name, watch)
    checked = experiment(
        epochs=6, seeds_number=3, early_stopping=1, criterion="val_nan_bias"
    )
    train_all(checked, tmp_path)
    folder = tmp_path / "models/small"
    assert (folder / "training_curves.png").read_bytes().startswith(b"\x89PNG")
    assert drawn["criterion"] == "val_thickness_nan_bias"
    assert set(drawn["best"]) == set(drawn["logs"]) == {0, 1, 2}
    for seed, epoch in drawn["best"].items():
        rows = read_log(folder / f"seed_{seed:03d}")
        bias = [abs(row["val_thickness_nan_bias"]) for row in rows]
        assert epoch == int(np.argmin(bias))
        assert len(drawn["logs"][seed]["loss"]) == len(rows)
