"""What the system must allow before a command begins."""

import sys

import pytest

from glacier_inversion.errors import is_out_of_memory
from tests.processes import ginv, run_code

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sets limits")


@pytest.mark.parametrize("command", ["check", "draw"])
def test_a_system_that_allows_hardly_any_open_files(finished, command):
    "Said as it is, where libraries would call files missing or the disk full."
    limits = "ulimit -n 14;"
    code, out, err = ginv(finished, command, limits=limits)
    assert (code, out) == (1, "")
    assert err == (
        "Error: the system: allows 14 open files. Must be 32 at least, and more with "
        "several --jobs. Allow more, as 'ulimit -n 1024' does.\n"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="others do not limit it")
def test_a_system_that_allows_hardly_any_address_space(finished):
    "Libraries are not loaded, which end the process or fail without a word."
    code, out, err = ginv(finished, "check", limits="ulimit -v 307200;")
    assert (code, out) == (1, "")
    assert err == (
        "Error: the system: allows 300 MiB of address space. Must be 700 at least, and "
        "2,000 to train and to draw. Allow more, as 'ulimit -v unlimited' does.\n"
    )


MINIMIZING = """
import resource, signal
signal.alarm(60)
import numpy as np
from scipy.optimize import minimize
from glacier_inversion.commands import limits
def leave(n_mib):
    pages = int(open("/proc/self/statm").read().split()[0])
    left = pages * resource.getpagesize() + n_mib * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (left, resource.RLIM_INFINITY))
limits._LEAST_SPACE = 0  # the libraries are loaded
leave(48)
try:
    limits.check_limits()
except MemoryError as error:
    print(error)
leave(200)
limits.check_limits()
leave(8)
least = minimize(
    lambda x: (float(x @ x), 2 * x), np.ones(3), jac=True, method="L-BFGS-B"
)
print(np.abs(least.x).max() < 1e-6, (np.ones((99, 99)) @ np.ones((99, 99)))[0, 0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_linear_algebra_has_its_space_from_the_start():
    "Where there is none, OpenBLAS tries again for ever, or ends the process."
    done = run_code(MINIMIZING)
    assert done.stderr == ""
    assert done.stdout == "no address space for linear algebra\nTrue 99.0\n"


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (ImportError("x.so: failed to map segment from shared object"), True),
        (ImportError("x.so: cannot open shared object file: No such file"), False),
        (ModuleNotFoundError("No module named 'x'"), False),
        (SystemError("error return without exception set"), True),
        (SystemError("<f> returned NULL without setting an exception"), True),
        (SystemError("bad argument to internal function"), False),
    ],
)
def test_libraries_that_find_no_space_are_want_of_memory(error, is_memory):
    "Of one that is missing, no."
    assert is_out_of_memory(error) == is_memory
