"""What training keeps of its points, to tell where the model applies."""

import numpy as np
import pytest

from glacier_inversion.training.data import prepare
from glacier_inversion.training.model.applicability import read_applicability
from glacier_inversion.training.training_points import keep_training_points
from tests.helpers import copy_of
from tests.training.helpers import experiment, noisy_tiles, translation_invariant

FILE = "models/small/applicability.safetensors"


@pytest.mark.parametrize("left", [None, b"", b"damaged"])
def test_training_keeps_it_and_brings_it_back(finished, tmp_path, left):
    "The same bytes, and the members of an earlier version are kept as they are."
    run = copy_of(finished, tmp_path)
    first = (run.root / FILE).read_bytes()
    weights = run.root / "models/small/seed_000/best.safetensors"
    before = weights.stat().st_mtime_ns
    (run.root / FILE).unlink()
    if left is not None:
        (run.root / FILE).write_bytes(left)
    result = run("train")
    assert result.exit_code == 0, result.output
    assert "2 members are finished: kept" in result.stderr
    assert (run.root / FILE).read_bytes() == first
    assert weights.stat().st_mtime_ns == before


@pytest.mark.parametrize("options", [("--overwrite",)])
def test_a_new_model_has_its_own(finished, tmp_path, options):
    "That of the model before is removed with it."
    run = copy_of(finished, tmp_path)
    (run.root / FILE).write_bytes(b"")
    run.raw["epochs"] = 1
    run.write()
    assert run("train", *options).exit_code == 0
    assert (run.root / FILE).stat().st_size > 0


@pytest.mark.parametrize("left", [b"damaged", None])
def test_of_one_feature_alone_none_is_kept(tmp_path, left):
    "Nor one that cannot be used: each drawing would ask to train again, for nothing."
    checked = translation_invariant()
    tiles = {
        "train": [noisy_tiles(1, "train")],
        "validation": [noisy_tiles(2, "validation")],
    }
    data = prepare(checked, tiles)
    if left is not None:
        (tmp_path / "applicability.safetensors").write_bytes(left)
    keep_training_points(data.train, tmp_path, data.model(checked))
    assert not (tmp_path / "applicability.safetensors").exists()


@pytest.mark.parametrize("vectors", [[["east", "north"]], []])
def test_vectors_are_kept_in_all_turns(tmp_path, vectors):
    "As training turns them: a glacier may flow anywhere, if its network has seen it."
    raw = translation_invariant().model_dump(mode="json", by_alias=True)
    turning = {"flips": True, "rotations": True, "vectors": vectors}
    checked = experiment(**raw | {"augmentation": turning, "seeds_number": 1})
    tiles = {
        "train": [noisy_tiles(1, "train"), noisy_tiles(2, "train")],
        "validation": [noisy_tiles(3, "validation")],
    }
    data = prepare(checked, tiles)
    model = data.model(checked)
    keep_training_points(data.train, tmp_path, model)
    points = read_applicability(tmp_path, model.identity, 7).points
    n_turns = 8 if vectors else 1
    assert len(points) == n_turns * len(data.train)
    east, north = np.sort(points[:, 0]), np.sort(points[:, 2])  # means
    is_turned = [
        np.allclose(one, other, atol=1e-5)
        for one, other in ((east, -east[::-1]), (east, north))
    ]
    assert is_turned == [bool(vectors)] * 2
    # the means of all else are those of one turn, again and again
    speed = np.unique(points[:, 4].round(4))
    assert len(speed) <= len(data.train)
