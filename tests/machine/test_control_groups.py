"""Limits of control groups; those of cores are tested with the cores."""

import pytest

from glacier_inversion.machine.control_groups import read_settings


@pytest.mark.parametrize(
    ("group", "found"),
    [
        ("0::/job/step", [["7"], ["8"], ["9"]]),
        ("0::/", [["9"]]),
        ("3:memory:/job", [["5"], ["6"]]),
        ("4:cpu,memory:/", [["6"]]),
        ("4:hugetlb,memory:/job", [["4"], ["5"], ["6"]]),
        ("5:cpuset:/job", []),
        ("", []),
    ],
)
def test_settings_of_all_groups_around(tmp_path, group, found):
    "In both versions; other controllers' groups say nothing."
    (tmp_path / "proc").write_text(group)
    texts = {
        "job/step/memory.max": "7\n",
        "job/memory.max": "8",
        "memory.max": "9",
        "memory/job/memory.limit_in_bytes": "5",
        "hugetlb,memory/job/memory.limit_in_bytes": "4",
        "memory/memory.limit_in_bytes": "6",
    }
    for name, text in texts.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    files = ["memory.max"], ["memory.limit_in_bytes"]
    read = read_settings("memory", *files, tmp_path / "proc", tmp_path / "groups")
    assert sorted(words for _, words in read if words) == found
