"""Why a file could not be written, where a library does not say."""

from __future__ import annotations

import errno
import glob
import math
import shutil
from contextlib import suppress
from pathlib import Path

_NEARLY_FULL = 2**20  # bytes


def find_error_number(path: Path, n_bytes: int) -> int | None:
    """
    Look why a file could not be written; None where nothing is found.

    Parameters
    ----------
    path : Path
        The file; or what there is of it has a longer name with a dot before it.
    n_bytes : int
        What was to be written, as far as it is known.

    Returns
    -------
    number : int or None
        ENOSPC where the disk is nearly full or has less free; EFBIG where the system
        lets no file be as large, as 'ulimit -f' sets it.
    """
    n_bytes = max(n_bytes, _NEARLY_FULL)
    with suppress(OSError):
        if shutil.disk_usage(path.parent).free < n_bytes:
            return errno.ENOSPC
    with suppress(OSError):
        parts = path.parent.glob(f".{glob.escape(path.stem)}.*")
        begun = (part.stat().st_size for part in parts)
        n_bytes = max([n_bytes, *(2 * size for size in begun)])
    return errno.EFBIG if _most_bytes() < n_bytes else None


def _most_bytes() -> float:
    """Return how large a file may become."""
    try:
        import resource  # noqa: PLC0415  not on Windows
    except ImportError:
        return math.inf
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return math.inf if limit == resource.RLIM_INFINITY else limit
