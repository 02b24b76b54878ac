"""The memory that this process may use."""

import os

import pytest

from glacier_inversion.machine.available_memory import available_bytes

GIB = 2**30


def test_the_memory_of_this_machine_is_known():
    "As far as the system tells: more than these tests take, less than there can be."
    available = available_bytes()
    assert available is None or 10**8 < available < 10**15


@pytest.mark.parametrize(
    ("group", "name", "text", "environment", "n_gib"),
    [
        ("0::/", "memory.max", "max", {}, 64),
        ("0::/job", "job/memory.max", str(4 * GIB), {}, 4),
        ("0::/job/step", "job/memory.max", str(4 * GIB), {}, 4),
        ("2:memory:/", "memory/memory.limit_in_bytes", str(5 * GIB), {}, 5),
        ("2:memory:/", "memory/memory.limit_in_bytes", "9223372036854771712", {}, 64),
        ("2:cpu:/", "memory.max", str(5 * GIB), {}, 64),
        ("", "other", "", {"SLURM_MEM_PER_NODE": "8192"}, 8),
        ("", "other", "", {"SLURM_MEM_PER_NODE": "0"}, 64),
        ("", "other", "", {"SLURM_MEM_PER_NODE": "much"}, 64),
        (
            "",
            "other",
            "",
            {"SLURM_MEM_PER_CPU": "2048", "SLURM_CPUS_ON_NODE": "3"},
            6,
        ),
        ("", "other", "", {"SLURM_MEM_PER_CPU": "2048"}, 64),
        ("0::/", "memory.max", str(4 * GIB), {"SLURM_MEM_PER_NODE": "2048"}, 2),
    ],
)
def test_memory_of_containers_and_jobs(
    tmp_path, monkeypatch, group, name, text, environment, n_gib
):
    "Versions 1 and 2 of control groups, limits of the groups around included."
    pages = {"SC_PHYS_PAGES": 64 * GIB // 4096, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", pages.get, raising=False)
    (tmp_path / "proc").write_text(group)
    file = tmp_path / "groups" / name
    file.parent.mkdir(parents=True)
    file.write_text(text)
    found = available_bytes(tmp_path / "proc", tmp_path / "groups", environment)
    assert found == n_gib * GIB
