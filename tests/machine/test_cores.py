"""The cores that this process may use, by all that limits them."""

import os
import sys
from pathlib import Path

import pytest

from glacier_inversion.machine.cores import available_cores, whose_cores


def write(path: Path, text: str) -> None:
    """Write a file, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("group", "files", "cores"),
    [
        ("0::/", {"cpu.max": "200000 100000"}, 2),
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/", {"cpu.max": "20000 100000"}, 1),
        ("0::/", {"cpu.max": "max 100000"}, 16),
        ("0::/", {"cpu.max": ""}, 16),
        # a job in its step: the group around it has the limit
        ("0::/job/step", {"job/cpu.max": "300000 100000"}, 3),
        ("0::/a/b", {"a/cpu.max": "900000 100000", "a/b/cpu.max": "max 100000"}, 9),
        # version 1, and a container that sees its own group at the root
        (
            "4:cpu,cpuacct:/docker/1",
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "400000",
                "cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            4,
        ),
        (
            "1:cpu:/job\n0::/job",
            {
                "cpu/job/cpu.cfs_quota_us": "500000\n",
                "cpu/job/cpu.cfs_period_us": "100000\n",
            },
            5,
        ),
        (
            "1:cpu:/",
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            16,
        ),
        ("5:cpuset:/", {"cpuset/cpu.max": "100000 100000"}, 16),
        ("", {}, 16),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
def test_cores_of_a_container(tmp_path, monkeypatch, group, files, cores):
    "Versions 1 and 2 of control groups, limits of the groups around included."
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))
    write(tmp_path / "proc", group)
    for name, text in files.items():
        write(tmp_path / "cgroup" / name, text)
    assert available_cores(tmp_path / "proc", tmp_path / "cgroup", {}) == cores


@pytest.mark.parametrize(
    ("given", "cores"), [("2", 2), ("99", 3), ("0", 3), ("many", 3), ("", 3)]
)
@pytest.mark.skipif(sys.platform != "linux", reason="so is the affinity")
def test_cores_by_affinity_and_slurm(tmp_path, monkeypatch, given, cores):
    "What SLURM gives its task; what is no number says nothing."
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 4, 7})
    slurm = {"SLURM_CPUS_PER_TASK": given}
    assert available_cores(tmp_path / "none", tmp_path, slurm) == cores


@pytest.mark.skipif(sys.platform != "linux", reason="affinity is Linux's here")
def test_who_shares_cores_has_one_name_for_them(tmp_path, monkeypatch):
    "Not if bound to others, limited by another group, or in another task of SLURM."
    groups = tmp_path / "groups"
    limits = ("job", "400000"), ("job/few", "200000"), ("job/more", "max")
    for name, limit in (*limits, ("job/many", "6400000")):
        write(groups / name / "cpu.max", f"{limit} 100000")
    for name in ("few", "more", "many", "none"):
        write(tmp_path / name, f"0::/job/{name}")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    slurm = {"SLURM_JOB_ID": "7", "SLURM_PROCID": "0"}

    def name_of(group, **other):
        return whose_cores(tmp_path / group, groups, {**slurm, **other})

    shared = name_of("more")
    # limited by the group around them
    assert name_of("none") == name_of("many") == shared
    names = [
        shared,
        name_of("few"),
        name_of("more", SLURM_PROCID="1"),
        name_of("more", SLURM_STEP_ID="1"),
        whose_cores(tmp_path / "missing", groups, {}),
    ]
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {97, 98, 99})
    assert len({*names, name_of("more"), name_of("few")}) == 7
    write(groups / "job/cpu.max", "800000 100000")
    assert name_of("more") == name_of("many")  # limited by what it is bound to
