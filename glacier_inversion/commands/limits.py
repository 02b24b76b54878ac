"""What the system must allow before a command begins."""

from __future__ import annotations

from glacier_inversion.errors import GlacierInversionError

_FEWEST_FILES = 32  # build-dataset needs 21 to 24, one process at a time


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
