"""How the C library keeps the memory that a step frees and the next one wants again.

glibc hands blocks of more than 32 MB, and the top of its heap, back to the system when they are
freed, and at the next step the system clears them page by page: about 45 MB, 11,000 page
faults, for the gradient of a table of 30,522 embeddings alone.
"""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_MAX_THRESHOLD = 2**31 - 1  # bytes; ``mallopt`` takes an int


def keep_freed_memory() -> bool:
    """Have this process keep what it frees, up to 2 GB at the top of the heap; false where the
    C library has no such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(
        mallopt(_M_TRIM_THRESHOLD, _MAX_THRESHOLD) and mallopt(_M_MMAP_THRESHOLD, _MAX_THRESHOLD)
    )
