"""Compression progress: how many bits does a work need, for an observer of earlier works?

Schmidhuber ("Formal Theory of Creativity, Fun, and Intrinsic Motivation", IEEE TAMD 2010) calls a
thing beautiful if its description is short for the observer, and interesting if the observer is
getting better at describing it: compression progress. The observer here is DEFLATE (RFC 1951) with
a dictionary made of earlier works. The dictionary holds 32 KB, so it is trained: it gets the works
whose strings recur most in the others (COVER: Liao, Petri, Moffat & Wirth, "Effective Construction
of Relative Lempel-Ziv Dictionaries", WWW 2016), here with whole works as segments.

Works are byte strings. Every observer may also write a work literally, so that noise costs no more
than its literal code and nothing can be learnt from it.
"""

from __future__ import annotations

import heapq
import math
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from move37.novelty.statistics import Interval, bootstrap

PAD = -1
WINDOW = 32768
"""Bytes that DEFLATE can look back."""
GRAM = 2
"""Moves in the strings by which a dictionary is chosen; DEFLATE repeats at least 3 bytes."""
EMPTY = 16
"""Bits of an empty DEFLATE stream, not counted."""


def move_bytes(moves: ArrayLike) -> list[bytes]:
    """Works as byte strings, two bytes a move, the higher first.

    Args:
        moves: (N, T) integers from 0 to 65,535, padded with -1.

    Raises:
        ValueError: If the shape is wrong, or a move does not fit two bytes.
    """
    table = np.asarray(moves, np.int64)
    if table.ndim != 2:
        raise ValueError(f"moves: expected shape (N, T), got {table.shape}")
    if table.size and not PAD <= table.min() <= table.max() < 1 << 16:
        raise ValueError(f"moves: expected -1 to 65535, got {table.min()} to {table.max()}")
    return [row[row != PAD].astype(">u2").tobytes() for row in table]


def train_dictionary(works: Sequence[bytes], size: int = WINDOW) -> bytes:
    """Choose the works that have most in common with the others, greedily.

    The next work is the one whose strings of ``GRAM`` moves that are not in the dictionary yet
    occur in the most works, per byte. The best come last, nearest to the data to be compressed.

    Args:
        works: Strings of :func:`move_bytes`.
        size: Bytes at most; DEFLATE sees no more than ``WINDOW``.
    """
    grams = [_grams(work) for work in works]
    frequency = Counter(gram for own in grams for gram in own)
    held: set[bytes] = set()

    def gain(i: int) -> float:
        # A string that no other work holds is of no use to others.
        fresh = sum(frequency[gram] - 1 for gram in grams[i] if gram not in held)
        return fresh / max(len(works[i]), 1)

    # Gains only fall as the dictionary grows, so an old gain is an upper bound (lazy greedy).
    queue = [(-gain(i), i) for i in range(len(works))]
    heapq.heapify(queue)
    chosen: list[bytes] = []
    room = size
    while queue:
        _, i = heapq.heappop(queue)
        now = gain(i)
        if queue and now < -queue[0][0]:
            heapq.heappush(queue, (-now, i))
            continue
        if now <= 0:
            break
        if len(works[i]) <= room:
            chosen.append(works[i])
            room -= len(works[i])
            held |= grams[i]
    return b"".join(reversed(chosen))


def deflate_bits(
    works: Sequence[bytes], dictionary: bytes = b"", literal: float = math.inf
) -> NDArray[np.float64]:
    """Bits of each work on its own, given the dictionary: raw DEFLATE at level 9.

    The dictionary is the observer's knowledge and is not counted. Bits come in whole bytes, which
    limits the accuracy for a single work.

    Args:
        works: Strings of :func:`move_bytes`.
        dictionary: Of :func:`train_dictionary`, or empty.
        literal: Bits per move if a work is written literally instead, which is done where that is
            shorter, e.g. log2 of the number of moves; inf: never.

    Returns:
        (N,) float64.
    """
    out = np.zeros(len(works))
    for i, work in enumerate(works):
        made = _deflater(dictionary)
        bits = 8 * len(made.compress(work) + made.flush()) - EMPTY
        out[i] = min(bits, literal * (len(work) // 2)) if work else 0
    return out


@dataclass(frozen=True)
class Progress:
    """Bits that an observer saves after learning from works of the same kind.

    Attributes:
        progress: Mean bits per work for an observer that knows the human works, minus those for one
            that also knows other works of the same maker, with its bootstrap interval.
        share: Progress as a share of the former.
    """

    progress: Interval
    share: float


def compression_progress(
    human: Sequence[bytes],
    learnt: Sequence[bytes],
    works: Sequence[bytes],
    rng: np.random.Generator,
    literal: float = math.inf,
) -> Progress:
    """Bits saved on a maker's works by knowing other works of that maker.

    Both observers have a dictionary of the same size: one of human works alone, one half of human
    works and half of ``learnt`` (as many as fit). What is learnt therefore takes room from what was
    known, and learning noise costs more than it saves.

    Args:
        human: Strings of :func:`move_bytes`.
        learnt: Works of the maker, none of them among ``works``.
        works: Works of the maker to compress; at least one.
        rng: The only source of chance (bootstrap).
        literal: As in :func:`deflate_bits`; best log2 of the number of moves.

    Raises:
        ValueError: If there are no works to compress.
    """
    if not works:
        raise ValueError("works: expected at least one")
    new, old = train_dictionary(learnt, WINDOW // 2), train_dictionary(human)
    # The best of the human dictionary stands at its end.
    mixed = old[len(old) - min(len(old), WINDOW - len(new)) :] + new
    before, after = (deflate_bits(works, known, literal) for known in (old, mixed))
    return progress_of(before, after, rng)


def progress_of(before: ArrayLike, after: ArrayLike, rng: np.random.Generator) -> Progress:
    """Compression progress from bits per work under any two observers.

    Args:
        before: (N,) bits of each work for the observer as it was.
        after: (N,) for the observer after learning.
        rng: The only source of chance (bootstrap).

    Raises:
        ValueError: If the shapes differ or there are no works.
    """
    old, new = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if old.shape != new.shape or old.ndim != 1 or not len(old):
        raise ValueError(f"expected two arrays (N >= 1,), got {old.shape} and {new.shape}")
    gained = bootstrap(lambda saved: float(saved.mean()), old - new, rng=rng)
    mean = float(old.mean())
    share = gained.value / mean if mean > 0 else 0.0
    return Progress(gained, share)


def _grams(work: bytes) -> set[bytes]:
    width = 2 * GRAM
    return {work[i : i + width] for i in range(0, len(work) - width + 1, 2)}


def _deflater(dictionary: bytes) -> zlib._Compress:
    if not dictionary:  # zlib takes no empty dictionary
        return zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, dictionary)
