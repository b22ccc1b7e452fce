"""The dynamics of the composition worlds, once for all modes, batched.

A board is its brief and its moves: whatever is seen of it is made of them. Nothing here knows of
rewards or of Gymnasium.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from move37.envs.base.simulator import PooledSimulator
from move37.envs.composition.briefs import default_briefs, parse_brief
from move37.envs.composition.judging.progress_features import MOST, n_progress, progress_features
from move37.envs.composition.modes import BASS, FOUR, FREE, Mode
from move37.envs.composition.moves import (
    BRIEF,
    EIGHTHS,
    FERMATA,
    FIRST_NOTE,
    HOLD,
    MODE,
    N_MOVES,
    N_SOPRANO,
    PHASE,
    REST,
    SOPRANO,
    TONIC,
    check_briefs,
)
from move37.envs.composition.scores import scores_of, silence_ahead

N_RECENT = 8
NO_MOVE = N_MOVES
"""Stands in ``recent`` where there is no earlier move."""
BEHIND, AHEAD = 4, 12
"""What is given is seen from 4 eighths before the one to write to 11 after it."""
WINDOW = BEHIND + AHEAD


class StateColumns(NamedTuple):
    """Places in ``state`` of a mode's boards: see :mod:`.env`; ``size`` is how many there are."""

    sounds: slice
    held: slice
    place: int
    left: int
    key_mode: int
    tonic: int
    turn: int
    size: int


def state_columns(mode: Mode) -> StateColumns:
    """Where things stand in ``state``."""
    v = mode.voices
    return StateColumns(
        sounds=slice(0, v), held=slice(v, 2 * v), place=2 * v, left=2 * v + 1, key_mode=2 * v + 2,
        tonic=2 * v + 3, turn=2 * v + 4, size=2 * v + 4 + (v > 1),
    )  # fmt: skip


def _held(codes: NDArray[np.int16]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """What sounds in each eighth of codes (..., T), and for how many eighths by then.

    Silence sounds until something is written.
    """
    eighths = np.arange(codes.shape[-1], dtype=np.int16)
    begun = np.maximum.accumulate(np.where(codes > HOLD, eighths, -1), axis=-1)
    begins = np.maximum(begun, 0)
    sounds = np.where(begun < 0, REST, np.take_along_axis(codes, begins.astype(np.int64), axis=-1))
    return sounds.astype(np.int16), eighths - begins + 1


class CompositionSimulator(PooledSimulator):
    """N boards on which a bass is written to a given soprano; the base of the other modes.

    Args:
        n: How many.
        pool: (M, 67) int16: briefs to draw from. None: :func:`.briefs.default_briefs`.
        seed: Of their order.
        group: How often a brief is dealt before the next.

    Attributes:
        observations: As in :class:`.env.CompositionEnv`, each (N, ...).
        moves: (N, 32) int16, padded with -1.
        briefs: (N, 67) int16: what each board answers.
    """

    mode: ClassVar[Mode] = BASS
    n_actions = N_MOVES
    max_moves = BASS.n_moves
    brief_width = BRIEF
    world = BASS.world

    def __init__(
        self, n: int, pool: NDArray[np.int16] | None = None, seed: int = 0, group: int = 1
    ) -> None:
        super().__init__(n, pool, seed, group)
        self._seen: dict[str, NDArray[Any]] | None = None
        self._given = np.zeros((n, 3, BEHIND + EIGHTHS + AHEAD), np.int16)
        self._scores = scores_of(self.moves, self.briefs, self.mode)

    @property
    def observations(self) -> dict[str, NDArray[Any]]:
        """What is seen of every board, made of its brief and its moves when it is asked for."""
        if self._seen is None:
            self._seen = self._observed()
        return self._seen

    def _observed(self) -> dict[str, NDArray[Any]]:
        mode, at, known = self.mode, state_columns(self.mode), np.maximum(self.briefs, 0)
        eighth = self.counts // mode.voices
        window = eighth[:, None] + np.arange(WINDOW)
        given = np.take_along_axis(self._given, window[:, None], axis=2)

        # Moves of each written voice (N, V, 32), and where its last eight stand, newest first.
        codes = self.moves.reshape(self.n, EIGHTHS, mode.voices).transpose(0, 2, 1)
        made = (self.counts[:, None] + mode.voices - 1 - np.arange(mode.voices)) // mode.voices
        last = made[:, :, None] - 1 - np.arange(N_RECENT)
        there, last = last >= 0, np.maximum(last, 0)
        sounds, held = (np.take_along_axis(x, last, axis=2) for x in _held(codes))
        recent = np.where(there, np.take_along_axis(codes, last, axis=2), NO_MOVE)
        sounding = np.where(there, sounds, 0)

        state = np.zeros((self.n, at.size), np.int16)
        state[:, at.sounds] = np.where(there[:, :, 0], sounds[:, :, 0], REST)
        state[:, at.held] = np.where(there[:, :, 0], held[:, :, 0], 0)
        state[:, at.place], state[:, at.left] = (known[:, PHASE] + eighth) % 8, EIGHTHS - eighth
        state[:, at.key_mode], state[:, at.tonic] = known[:, MODE], known[:, TONIC]
        self._scores[:, mode.written] = np.maximum(codes, HOLD)
        silence_ahead(self._scores, self.counts, mode)
        seen: dict[str, NDArray[Any]] = {"fermatas": given[:, 2].astype(np.uint8), "state": state}
        if mode.soprano_is_given:
            seen |= {"soprano": given[:, 0], "onsets": given[:, 1].astype(np.uint8)}
        if mode.voices > 1:
            state[:, at.turn] = self.counts % mode.voices
            seen |= {"recent": recent, "sounding": sounding}
        else:
            seen["recent"] = recent[:, 0]
        return seen | {"progress_features": progress_features(self._scores, mode)}

    def observation_space(self) -> spaces.Dict:
        """The space of one board's observation."""
        mode, size = self.mode, state_columns(self.mode).size
        voices = mode.voices
        high = [N_MOVES - 1] * voices + [EIGHTHS] * voices + [7, EIGHTHS, 1, 11, voices - 1]
        highest = np.array(high[:size], np.int16)
        each = (voices, N_RECENT) if voices > 1 else (N_RECENT,)
        boxes: dict[str, spaces.Space[Any]] = {
            "fermatas": spaces.Box(0, 1, (WINDOW,), np.uint8),
            "recent": spaces.Box(0, NO_MOVE, each, np.int16),
            "state": spaces.Box(np.zeros(size, np.int16), highest, (size,), np.int16),
            "progress_features": spaces.Box(-MOST, MOST, (n_progress(mode),), np.float32),
        }
        if mode.soprano_is_given:
            boxes["soprano"] = spaces.Box(0, N_SOPRANO - 1, (WINDOW,), np.int16)
            boxes["onsets"] = spaces.Box(0, 1, (WINDOW,), np.uint8)
        if voices > 1:
            boxes["sounding"] = spaces.Box(0, N_MOVES - 1, each, np.int16)
        return spaces.Dict(boxes)

    @classmethod
    def parse_brief(cls, brief: Any) -> NDArray[np.int16]:
        """Check a brief that a user gives; see :func:`.briefs.parse_brief`."""
        return parse_brief(brief, cls.mode)

    def _check_briefs(self, briefs: NDArray[np.int16]) -> None:
        check_briefs(briefs)

    def default_pool(self) -> NDArray[np.int16]:
        """Briefs (M, 67) of the training tunes."""
        return default_briefs(self.mode)

    def _begin(self, rows: NDArray[np.int64]) -> None:
        briefs = self.briefs[rows]
        self._scores[rows] = scores_of(self.moves[rows], briefs, self.mode)
        soprano, fermatas = np.maximum(briefs[:, SOPRANO:FERMATA], HOLD), briefs[:, FERMATA:] > 0
        given = np.stack([_held(soprano)[0], soprano >= FIRST_NOTE, fermatas], axis=1)
        self._given[rows, :, BEHIND:-AHEAD] = given
        self._seen = None

    def _play(self, actions: NDArray[np.int64]) -> None:
        self._seen = None


class FreeSimulator(CompositionSimulator):
    """N boards on which soprano and bass are written, in turn; briefs are frames.

    Attributes:
        observations: As in :class:`.env.FreeEnv`, each (N, ...).
        moves: (N, 64) int16, padded with -1.
        briefs: (N, 67) int16: mode of the key, place in the bar, tonic and fermatas alone.
    """

    mode = FREE
    max_moves = FREE.n_moves
    world = FREE.world


class FourSimulator(CompositionSimulator):
    """N boards on which bass, tenor and alto are written to a given soprano, in turn.

    Attributes:
        observations: As in :class:`.env.FourEnv`, each (N, ...).
        moves: (N, 96) int16, padded with -1.
        briefs: (N, 67) int16: what each board answers.
    """

    mode = FOUR
    max_moves = FOUR.n_moves
    world = FOUR.world
