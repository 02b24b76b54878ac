"""What training keeps of its points, to tell where the model applies."""

import pytest

from tests.helpers import copy_of

FILE = "models/small/applicability.safetensors"


def test_training_keeps_it_and_brings_it_back(finished, tmp_path):
    "The same bytes, and the members of an earlier version are kept as they are."
    run = copy_of(finished, tmp_path)
    first = (run.root / FILE).read_bytes()
    weights = run.root / "models/small/seed_000/best.safetensors"
    before = weights.stat().st_mtime_ns
    (run.root / FILE).unlink()
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
