"""Shards: commands that share a job, each with its own tasks first."""

import sys

import pytest

from glacier_inversion.progress import Silent
from glacier_inversion.sharing.cluster import Cluster
from glacier_inversion.sharing.job import working_together
from glacier_inversion.sharing.shards import Shard, find_hands, parse_shard
from glacier_inversion.workspace import Workspace
from tests.sharing.helpers import done, killed, share_of_eight


@pytest.mark.parametrize(
    "text", ["", "1", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "1.0/4", " 1/4"]
)
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(ValueError, match=r"is no shard\. Must be I/N, such"):
        parse_shard(text)


def test_a_shard_begins_with_its_own_tasks(monkeypatch, tmp_path):
    "And goes on with those of the next; together they begin with all."
    asked = []
    monkeypatch.setattr(
        "glacier_inversion.sharing.shards.each",
        lambda work, given, tasks, jobs: iter(asked.append(tasks) or []),
    )
    for number in (1, 2, 3):
        list(Shard(number, 3, 1).each(None, None, None, "abcdefgh"))
    assert ["".join(tasks) for tasks in asked] == ["abcdefgh", "cdefghab", "fghabcde"]


def test_one_way_of_sharing_at_a_time():
    here = Workspace(".")
    assert find_hands(None, None, 2, here) == (None, here)
    assert find_hands("2/4", None, 3, here) == (Shard(2, 4, 3), here)
    with pytest.raises(ValueError, match="Invalid shard '1/4' beside 'tcp://x:1'"):
        find_hands("1/4", "tcp://x:1", 1, here)


def test_workers_of_a_scheduler_get_an_absolute_path(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    hands, workspace = find_hands(None, "tcp://x:1", 1, Workspace("region"))
    assert hands == Cluster("tcp://x:1")
    assert workspace.root == tmp_path / "region"


@pytest.mark.skipif(sys.platform == "win32", reason="flock is Unix's")
def test_a_task_whose_process_dies_is_tried_once_more(tmp_path, caplog):
    "Then it has failed, in words; the others are done."
    shard = Shard(1, 1, 2)
    tasks = {str(n): n for n in (12, 13, 14, 15)}
    with working_together(tmp_path / "here", "drawing into", shard, "key") as job:
        results = job.do(killed, tmp_path, tasks, Silent())
    failure = results.pop("13")["failure"]
    assert failure.startswith("each of the 2 processes that worked at it ended without")
    assert {n: r["square"] for n, r in results.items()} == {
        "12": 144,
        "14": 196,
        "15": 225,
    }
    assert done(tmp_path) == {12: 1, 13: 2, 14: 1, 15: 2}
    assert caplog.text.count("13: its process was lost (signal 9)") == 2
    assert caplog.text.count("15: its process was lost (signal 9)") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="flock is Unix's")
def test_processes_of_a_shard_divide_what_it_may_use(tmp_path):
    "Eight cores of a machine of 64, as a task of SLURM has them."
    tasks = {str(n): n for n in range(5)}
    shard = Shard(1, 1, 4)
    with working_together(tmp_path / "here", "drawing into", shard, "key") as job:
        results = job.do(share_of_eight, None, tasks, Silent())
    assert [own["cores"] for own in results.values()] == [2, 2, 2, 4, 8]
