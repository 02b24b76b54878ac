"""Files of a workspace that something has damaged: refused by name, or harmless."""

import json
import shutil
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.drawing.helpers import calibrate
from tests.helpers import copy_of, read_all
from tests.hostile import damaged, mutated

LONGEST_S = 60  # a command takes seconds, where one core does the work of two
COMMANDS = ["check", "build-dataset", "train", "draw", "evaluate"]


@pytest.fixture(scope="module")
def pristine(finished, tmp_path_factory):
    "A finished workspace whose model is calibrated, and drawn so."
    run = copy_of(finished, tmp_path_factory.mktemp("pristine"))
    calibrate(run)
    run.raw["drawing_description"]["statistics"] = ["mean", "std", "uncertainty"]
    run.write()
    assert run("draw").exit_code == 0
    return run


@st.composite
def damages(draw, files):
    """A file of the workspace, and what it holds instead."""
    name = draw(st.sampled_from(sorted(files)))
    content = files[name]
    if name.endswith(".json") and draw(st.booleans()):
        changed = draw(mutated([json.loads(content)]))
        return name, json.dumps(changed).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:  # that of another place
        return name, files[draw(st.sampled_from(sorted(files)))]
    return name, draw(damaged(content))


@pytest.mark.parametrize(
    "n_cases", [40, pytest.param(1_000, marks=pytest.mark.slow)], ids=str
)
def test_damaged_files_are_refused_by_name_or_harmless(pristine, tmp_path, n_cases):
    "By each command; the user's own data are never touched."
    whole = read_all(pristine.root)
    files = {
        name: content
        for name, content in whole.items()
        if name.startswith(("datasets", "models", "drawings"))
    }
    data = {name: of for name, of in whole.items() if name.startswith("data/")}
    root = tmp_path / "workspace"

    @settings(max_examples=n_cases, suppress_health_check=HealthCheck, derandomize=True)
    @given(damages(files), st.sampled_from(COMMANDS))
    def hold(damage, command):
        name, content = damage
        shutil.rmtree(root, ignore_errors=True)
        run = copy_of(pristine, root)
        (root / name).write_bytes(content)
        begun = time.process_time()
        result = run(command)
        assert time.process_time() - begun < LONGEST_S
        assert result.exit_code in (0, 1, 3), result.output
        if result.exit_code:
            assert str(root) in result.output
        now = read_all(root)
        assert {name: now.get(name) for name in data} == data
        assert [*tmp_path.iterdir()] == [root]  # nothing beside the workspace

    hold()
