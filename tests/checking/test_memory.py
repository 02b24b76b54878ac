"""What does not fit into the memory that may be used is warned of."""

import pytest

from glacier_inversion.checking import check
from glacier_inversion.checking.memory import find_lacking_memory
from glacier_inversion.checking.report import DrawingCost, TrainingCost


@pytest.mark.parametrize(
    ("training", "drawing", "available", "warned"),
    [
        (3, 2, 4, []),
        (5, 2, 4, ["training"]),
        (5, 6, 4, ["training", "drawing"]),
        (None, 6, 4, ["drawing"]),
        (5, 6, None, []),
    ],
)
def test_only_what_is_more_is_warned_of(training, drawing, available, warned):
    "In units of a gigabyte; None is not known."
    costs = (
        TrainingCost(1, 1, least_memory_bytes=training and training * 10**9),
        DrawingCost(1, 1, memory_bytes=drawing * 10**9),
    )
    found = find_lacking_memory(*costs, available and available * 10**9)
    assert [warning.partition(" takes")[0] for warning in found] == warned


def test_check_warns_and_counts_no_more_than_a_batch_can_hold(run, monkeypatch):
    "Ten million samples at once are as many as there are."
    monkeypatch.setattr(check, "available_bytes", lambda: 2 * 10**9)
    assert "of memory, and this process may use" not in run("check").stdout
    run.raw["batch_size"] = 10_000_000
    run.write()
    assert "of memory, and this process may use" not in run("check").stdout
    monkeypatch.setattr(check, "available_bytes", lambda: 10**6)
    result = run("check")
    assert result.exit_code == 0
    assert "training takes some" in result.stdout
    assert "this process may use 0 GB. Use a smaller batch_size" in result.stdout
