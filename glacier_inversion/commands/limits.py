"""What the system must allow before a command begins."""

from __future__ import annotations

import mmap

from glacier_inversion.errors import GlacierInversionError

_FEWEST_FILES = 32  # build-dataset needs 21 to 24, one process at a time
_LEAST_SPACE = 700 * 2**20  # bytes; build-dataset needs 650 MiB, train 1,300
_SPACE_OF_LINEAR_ALGEBRA = 3 * 2**25  # bytes; OpenBLAS takes 32 MiB, in each library


def check_limits() -> None:
    """
    Refuse to begin where no command could end.

    With fewer open files than libraries need they say that other things are wrong: that
    a file is missing, or the disk full.

    Raises
    ------
    GlacierInversionError
        Hardly any files may be open.
    """
    try:
        import resource
    except ImportError:
        return
    n_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if n_files != resource.RLIM_INFINITY and n_files < _FEWEST_FILES:
        message = (
            f"the system: allows {n_files} open files. Must be {_FEWEST_FILES} at "
            "least, and more with several --jobs. Allow more, as 'ulimit -n 1024' does."
        )
        raise GlacierInversionError(message)
    space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if space == resource.RLIM_INFINITY:
        return
    if space < _LEAST_SPACE:
        message = (
            f"the system: allows {space / 2**20:,.0f} MiB of address space. Must be "
            f"{_LEAST_SPACE / 2**20:,.0f} at least, and 2,000 to train and to draw. "
            "Allow more, as 'ulimit -v unlimited' does."
        )
        raise GlacierInversionError(message)
    _take_space_of_linear_algebra()


def _take_space_of_linear_algebra() -> None:
    """
    Let numpy and scipy take at once what they keep for linear algebra.

    Their OpenBLAS takes it at its first call, and where there is none it tries again
    for ever, or ends the process.
    """
    try:
        mmap.mmap(-1, _SPACE_OF_LINEAR_ALGEBRA).close()
    except OSError as error:
        message = "no address space for linear algebra"
        raise MemoryError(message) from error
    import numpy as np
    from scipy.linalg.lapack import dgetrf

    np.linalg.inv(np.eye(2))
    dgetrf(np.eye(2))
