"""The dynamics of the free mode, batched and compiled: both voices are written, in turn.

For each eighth first the soprano's move, then the bass's. Given is the frame alone: mode, place in
the bar, and where phrases end.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from gymnasium import spaces
from numba import njit
from numpy.typing import NDArray

from move37.envs.base.works import PAD
from move37.envs.composition.dynamics import (
    N_RECENT,
    NO_MOVE,
    WINDOW,
    CompositionSimulator,
    default_briefs,
    write_voice,
)
from move37.envs.composition.judging.progress_features import MOST, N_PAIR_ACCOUNT
from move37.envs.composition.moves import (
    BASS_ROW,
    BRIEF,
    EIGHTHS,
    FERMATA,
    FREE_MOVES,
    HOLD,
    MODE,
    N_MOVES,
    N_SOPRANO,
    PHASE,
    REST,
    SOPRANO,
    SOPRANO_ROW,
    TONIC,
    check,
)

N_STATE = 9
FERMATAS = 2
"""Where they stand in what is given."""
SOUNDS, FOR, PLACE, LEFT, KEY_MODE, KEY_TONIC, TURN = 0, 2, 4, 5, 6, 7, 8
"""Places in ``state``: what sounds in soprano and bass, for how many eighths, then the rest."""

# Both voices have equally many codes, so that one space of actions holds them.
assert N_SOPRANO == N_MOVES


@njit(cache=True, nogil=True)
def step_pairs(
    actions: NDArray[np.int64], given: NDArray[np.int16], fermatas: NDArray[np.uint8],
    recent: NDArray[np.int16], sounding: NDArray[np.int16], state: NDArray[np.int16],
    counts: NDArray[np.int64], scores: NDArray[np.int16],
) -> None:  # fmt: skip
    """Play one move on every board, in place. Shapes as in :class:`FreeSimulator`."""
    for i in range(actions.shape[0]):
        a = actions[i]
        if a == PAD:
            continue
        count = counts[i] - 1
        voice, t = count % 2, count // 2
        row = SOPRANO_ROW if voice == 0 else BASS_ROW
        write_voice(i, voice, row, t, a, SOUNDS, FOR, recent, sounding, state, scores)
        state[i, TURN] = 1 - voice
        if voice == 1:
            state[i, PLACE] = (state[i, PLACE] + 1) % 8
            state[i, LEFT] -= 1
            for j in range(WINDOW):
                fermatas[i, j] = given[i, t + 1 + j]


@lru_cache(maxsize=1)
def default_frames() -> NDArray[np.int16]:
    """Frames (M, 67) of the training tunes of Bach's chorales: a core's default briefs."""
    return frames_of(default_briefs())


def frames_of(briefs: NDArray[np.int16]) -> NDArray[np.int16]:
    """Briefs (N, 67) without their sopranos."""
    out = briefs.copy()
    out[:, SOPRANO:FERMATA] = HOLD
    return out


class FreeSimulator(CompositionSimulator):
    """N boards on which both voices are written.

    Args:
        n: How many.
        pool: (M, 67) int16: frames to draw from. None: :func:`default_frames`.
        seed: Of their order.
        group: How often a frame is dealt before the next.

    Attributes:
        observations: ``recent`` (N, 2, 8) int16: the last moves of soprano and bass, newest first,
            31 for none; ``sounding`` (N, 2, 8) int16: codes of what sounded in these eighths (1:
            silence, 0: none yet); ``fermatas`` (N, 16) uint8: from 4 eighths back to 11 ahead;
            ``state`` (N, 9) int16: codes of what sounds in soprano and bass, for how many eighths
            each, place in the bar, eighths left, mode, tonic, whose turn it is (0 soprano, 1 bass);
            ``account`` (N, 358) float32: what the rules and the descriptor find so far, as if both
            were silent from here on.
        moves: (N, 64) int16, padded with -1.
        briefs: (N, 67) int16: the frames.
    """

    max_moves = FREE_MOVES
    world = "composition-free"
    writes_both = True

    def __init__(
        self, n: int, pool: NDArray[np.int16] | None = None, seed: int = 0, group: int = 1
    ) -> None:
        super().__init__(n, pool, seed, group)
        self._observed = {
            "recent": np.full((n, 2, N_RECENT), NO_MOVE, np.int16),
            "sounding": np.zeros((n, 2, N_RECENT), np.int16),
            "fermatas": np.zeros((n, WINDOW), np.uint8),
            "state": np.zeros((n, N_STATE), np.int16),
            "account": np.zeros((n, N_PAIR_ACCOUNT), np.float32),
        }

    @classmethod
    def parse_brief(cls, brief: Any) -> NDArray[np.int16]:
        """Check a frame; see :func:`parse_frame`."""
        return parse_frame(brief)

    def observation_space(self) -> spaces.Dict:
        """The space of one board's observation."""
        high = np.array(
            [N_MOVES - 1, N_MOVES - 1, EIGHTHS, EIGHTHS, 7, EIGHTHS, 1, 11, 1], np.int16
        )
        return spaces.Dict(
            {
                "recent": spaces.Box(0, NO_MOVE, (2, N_RECENT), np.int16),
                "sounding": spaces.Box(0, N_MOVES - 1, (2, N_RECENT), np.int16),
                "fermatas": spaces.Box(0, 1, (WINDOW,), np.uint8),
                "state": spaces.Box(np.zeros(N_STATE, np.int16), high, (N_STATE,), np.int16),
                "account": spaces.Box(-MOST, MOST, (N_PAIR_ACCOUNT,), np.float32),
            }
        )

    def pool(self) -> NDArray[np.int16]:
        """The frames to draw from, (M, 67)."""
        return default_frames() if self._pool is None else self._pool

    def _begin(self, rows: NDArray[np.int64]) -> None:
        self._lay(rows)
        frames, obs = np.maximum(self.briefs[rows], 0), self._observed
        obs["recent"][rows], obs["sounding"][rows] = NO_MOVE, 0
        obs["fermatas"][rows] = self._given[rows, FERMATAS, :WINDOW]
        state = np.zeros((len(rows), N_STATE), np.int16)
        state[:, [SOUNDS, SOUNDS + 1]], state[:, LEFT] = REST, EIGHTHS
        state[:, PLACE], state[:, KEY_MODE] = frames[:, PHASE], frames[:, MODE]
        state[:, KEY_TONIC] = frames[:, TONIC]
        obs["state"][rows] = state
        self._begin_accounts(rows)

    def _play(self, actions: NDArray[np.int64]) -> None:
        obs = self._observed
        step_pairs(
            actions, self._given[:, FERMATAS], obs["fermatas"], obs["recent"], obs["sounding"],
            obs["state"], self.counts, self._scores,
        )  # fmt: skip
        self._behind = True


def parse_frame(brief: Any) -> NDArray[np.int16]:
    """Check a frame: (67,) with HOLD for the soprano, or (35,): mode, place, tonic, fermata flags.

    Raises:
        ValueError: If something in it is out of range, or a soprano is given.
    """
    if brief is None or len(brief) == 0:
        return np.zeros(0, np.int16)
    given = np.asarray(brief).astype(np.int64)
    if given.shape == (SOPRANO + EIGHTHS,):
        given = np.concatenate([given[:SOPRANO], np.full(EIGHTHS, HOLD), given[SOPRANO:]])
    if given.shape != (BRIEF,):
        raise ValueError(
            f"brief: expected shape ({BRIEF},) or ({SOPRANO + EIGHTHS},), got {given.shape}"
        )
    if (given == PAD).all():
        return given.astype(np.int16)
    if (given[SOPRANO:FERMATA] != HOLD).any():
        raise ValueError(f"brief: the soprano is written here, not given; its codes must be {HOLD}")
    if (given < 0).any():
        raise ValueError(f"brief: {given[given < 0][0]} is out of range")
    check(np.zeros((1, 0), np.int16), given[None])
    return given.astype(np.int16)
