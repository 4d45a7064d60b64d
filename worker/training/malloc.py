"""Settings of the C library: freed memory stays in the process for the next step, and goes back to
the system when there is no next step.

glibc returns freed blocks of more than 32 MB, and the top of its heap, to the system. At the next
step the system clears them page by page: about 45 MB, 11,000 page faults, for the gradient of a
table of 30,522 embeddings alone.
"""

import ctypes
import gc

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from malloc.h
_MAX_THRESHOLD = 2**31 - 1  # bytes; ``mallopt`` takes an int


def keep_freed_memory() -> bool:
    """Keep freed memory in the process, up to 2 GB at the top of the heap.

    Return False if the C library has no such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(
        mallopt(_M_TRIM_THRESHOLD, _MAX_THRESHOLD) and mallopt(_M_MMAP_THRESHOLD, _MAX_THRESHOLD)
    )


def release_freed_memory() -> bool:
    """Give memory that nothing uses back to the system, the GPU's included.

    Return False if the C library cannot.
    """
    gc.collect()  # networks and their hooks refer to each other
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return malloc_trim is not None and bool(malloc_trim(0))
