"""Argon2's memory in huge pages, where Linux gives them to whoever asks (`madvise`).

It is read here and there, so that with small pages the processor looks up an address at every step: a fifteenth of a
hash. The library takes its memory from the C library, which keeps it for the thread's next hash once it has seen such
a size given back: so the advice on one piece of it holds for all. Where that is not so, nothing is gained or lost.
"""

import ctypes
from typing import Final

_PAGE: Final = 4096
_ADVISE_HUGE: Final = 14
"""MADV_HUGEPAGE of Linux."""


def advise(size: int) -> bool:
    """For the calling thread's next pieces of `size` bytes. False where there is no such advice."""
    try:
        c = ctypes.CDLL(None)
        allocate, free, madvise = c.malloc, c.free, c.madvise
    except (OSError, AttributeError):
        return False
    allocate.restype, allocate.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    free.restype, free.argtypes = None, [ctypes.c_void_p]
    madvise.restype, madvise.argtypes = ctypes.c_int, [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    free(allocate(size))
    piece = allocate(size)
    if not piece:
        return False
    first, last = piece // _PAGE * _PAGE, (piece + size) // _PAGE * _PAGE
    advised: bool = madvise(first, last - first, _ADVISE_HUGE) == 0
    free(piece)
    return advised
