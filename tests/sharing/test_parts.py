"""Notes of commands on their parts in a job."""

from concurrent.futures import ThreadPoolExecutor

from glacier_inversion.sharing.parts import Parts
from glacier_inversion.sharing.shards import Shard


def test_a_shard_that_is_started_twice_at_once_can_note_both_times(tmp_path):
    "By a slip, or where a cluster starts one again before it has ended the first."

    def note(_):
        parts = Parts(tmp_path, Shard(1, 2, 1))
        for _ in range(200):
            parts.note_at_work()
            parts.note_end()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(note, range(4)))
    assert Parts(tmp_path, Shard(1, 2, 1)).is_run_again()


def test_what_a_command_is_follows_from_the_notes(tmp_path):
    first, second, other = (
        Parts(tmp_path, Shard(*n, 1)) for n in ((1, 4), (2, 4), (1, 14))
    )
    assert first.is_back()  # nobody is of any array
    first.note_at_work()
    assert first.is_back()
    assert not first.is_run_again()  # it was stopped, and comes back
    assert not second.is_back()
    assert not second.is_run_again()  # it is late
    assert other.is_back()
    assert other.is_run_again()
    first.note_end()
    assert first.is_run_again()
    first.reopen()
    assert not first.is_run_again()
