"""
Memory that is freed is kept for what asks for it next.

Each layer of a dense pass makes an image of tens of megabytes and frees the one before.
glibc gives memory of that size back to the system, which must clear it, page by page,
when it is asked for again: a tenth of a pass, and a third where images are larger.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys

# Names and numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_MOST_KEPT = 2**28  # bytes
_LONGEST = 2**25  # bytes of one image: some versions allow no more


@functools.cache
def can_keep() -> bool:
    """Tell whether memory comes from glibc, which other systems than Linux lack."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") is not None
    except (OSError, ValueError):  # musl does not know the name
        return False


@functools.cache
def keep_freed_memory() -> None:
    """
    Let this process keep up to 256 MiB of what it frees, from now on.

    All its threads then share one heap: in heaps of their own, of 64 MiB each, there is
    little room for images. What is larger than 32 MiB is still given back at once.
    Nothing happens where memory does not come from glibc.
    """
    if not can_keep():
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_MMAP_THRESHOLD, _LONGEST)
    mallopt(_TRIM_THRESHOLD, _MOST_KEPT)
    mallopt(_ARENA_MAX, 1)
