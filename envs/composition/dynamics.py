"""The dynamics of the composition worlds, once for all modes, batched and compiled.

State is a struct of arrays with one leading axis of N boards. The compiled functions know nothing
of rewards or of Gymnasium.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from gymnasium import spaces
from numba import njit
from numpy.typing import NDArray

from move37.envs.base.simulator import Simulator
from move37.envs.base.works import PAD
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
from move37.envs.composition.scores import scores_of

N_RECENT = 8
NO_MOVE = N_MOVES
"""Stands in ``recent`` where there is no earlier move."""
BEHIND, AHEAD = 4, 12
"""What is given is seen from 4 eighths before the one to write to 11 after it."""
WINDOW = BEHIND + AHEAD


class StateColumns(NamedTuple):
    """Places in ``state`` of a mode's boards.

    Attributes:
        sounds: Codes of what sounds in each written voice.
        held: For how many eighths each.
        place: Place in the bar.
        left: Eighths left.
        key_mode: 0 major, 1 minor.
        tonic: Of the original.
        turn: Whose turn it is, counted in ``mode.written``; only where there are several voices.
        size: How many places there are.
    """

    sounds: slice
    held: slice
    place: int
    left: int
    key_mode: int
    tonic: int
    turn: int
    size: int


def state_columns(mode: Mode) -> StateColumns:
    """Where things stand in ``state``; :func:`step_boards` counts alike."""
    v = mode.voices
    return StateColumns(
        sounds=slice(0, v), held=slice(v, 2 * v), place=2 * v, left=2 * v + 1, key_mode=2 * v + 2,
        tonic=2 * v + 3, turn=2 * v + 4, size=2 * v + 4 + (v > 1),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def lay_out(briefs: NDArray[np.int16], rows: NDArray[np.int64], given: NDArray[np.int16]) -> None:
    """Write briefs (R, 67) as sounding codes, onsets and fermatas into ``given`` (N, 3, 48)."""
    for k in range(rows.shape[0]):
        i = rows[k]
        given[i] = 0
        now = REST
        for t in range(EIGHTHS):
            code = max(briefs[k, SOPRANO + t], HOLD)
            if code != HOLD:
                now = code
            given[i, 0, BEHIND + t] = now
            given[i, 1, BEHIND + t] = 1 if code >= FIRST_NOTE else 0
            given[i, 2, BEHIND + t] = 1 if briefs[k, FERMATA + t] > 0 else 0


@njit(cache=True, nogil=True)
def step_boards(
    actions: NDArray[np.int64], written: NDArray[np.int64], given: NDArray[np.int16],
    soprano: NDArray[np.int16], onsets: NDArray[np.uint8], fermatas: NDArray[np.uint8],
    recent: NDArray[np.int16], sounding: NDArray[np.int16], state: NDArray[np.int16],
    counts: NDArray[np.int64], scores: NDArray[np.int16],
) -> None:  # fmt: skip
    """Play one move on every board, in place.

    Args:
        actions: (N,), -1 on boards that wait.
        written: (V,) rows of a score that are written, in turn.
        given: (N, 3, 48), see :func:`lay_out`.
        soprano: (N, 16), what is seen of ``given``; so are onsets and fermatas.
        onsets: (N, 16).
        fermatas: (N, 16).
        recent: (N, V, 8), the last moves of each voice.
        sounding: (N, V, 8), what sounded in each.
        state: (N, S), see :class:`StateColumns`.
        counts: (N,), moves made, this one included.
        scores: (N, 5 or 7, 32).
    """
    voices = written.shape[0]
    place, left, turn = 2 * voices, 2 * voices + 1, 2 * voices + 4
    for i in range(actions.shape[0]):
        a = actions[i]
        if a == PAD:
            continue
        t, voice = divmod(counts[i] - 1, voices)
        row = written[voice]
        scores[i, row, t] = a
        if t + 1 < EIGHTHS:
            scores[i, row, t + 1] = REST  # nothing sounds beyond what is written
        if a == HOLD:
            state[i, voices + voice] += 1
        else:
            state[i, voice] = a
            state[i, voices + voice] = 1
        for j in range(N_RECENT - 1, 0, -1):
            recent[i, voice, j] = recent[i, voice, j - 1]
            sounding[i, voice, j] = sounding[i, voice, j - 1]
        recent[i, voice, 0] = a
        sounding[i, voice, 0] = state[i, voice]
        if voices > 1:
            state[i, turn] = (voice + 1) % voices
        if voice == voices - 1:
            state[i, place] = (state[i, place] + 1) % 8
            state[i, left] -= 1
            for j in range(WINDOW):
                soprano[i, j] = given[i, 0, t + 1 + j]
                onsets[i, j] = given[i, 1, t + 1 + j]
                fermatas[i, j] = given[i, 2, t + 1 + j]


class CompositionSimulator(Simulator):
    """N boards on which a bass is written to a given soprano; the base of the other modes.

    Args:
        n: How many.
        pool: (M, 67) int16: briefs to draw from, each once before any comes again, in an order
            that begins anew with every :meth:`set_brief`. None: :func:`.briefs.default_briefs`.
        seed: Of that order; see also :meth:`seed`.
        group: How often a brief is dealt before the next: several answers to one brief can be
            compared with each other.

    Attributes:
        observations: ``soprano`` (N, 16) int16: codes of what sounds in the given voice from 4
            eighths back to 11 ahead, the eighth to write at place 4 (0 outside the work, 1
            silence); ``onsets`` and ``fermatas`` (N, 16) uint8: where its notes begin, and which
            have a fermata; ``recent`` (N, 8) int16: the last moves, newest first, 31 for none;
            ``state`` (N, 6) int16: code of what sounds in the bass (1: silence), for how many
            eighths, place in the bar, eighths left, mode of the key, tonic; ``progress_features``
            (N, 186) float32: what the rules and the descriptor find in the bass so far, as if it
            were silent from here on (:mod:`move37.envs.composition.judging.progress_features`).
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
        super().__init__(n)
        voices = self.mode.voices
        self._columns = state_columns(self.mode)
        self._written = np.array(self.mode.written)
        self._given = np.zeros((n, 3, BEHIND + EIGHTHS + AHEAD), np.int16)
        self._soprano = np.zeros((n, WINDOW), np.int16)
        self._onsets = np.zeros((n, WINDOW), np.uint8)
        self._fermatas = np.zeros((n, WINDOW), np.uint8)
        self._recent = np.full((n, voices, N_RECENT), NO_MOVE, np.int16)
        self._sounding = np.zeros((n, voices, N_RECENT), np.int16)
        self._state = np.zeros((n, self._columns.size), np.int16)
        self._progress = np.zeros((n, n_progress(self.mode)), np.float32)
        self._scores = scores_of(self.moves, self.briefs, self.mode)
        self._behind = False
        self._pool, self._group = pool, group
        self.seed(seed)

    @property
    def observations(self) -> dict[str, NDArray[Any]]:
        """What is seen of every board; progress features, which cost most, only when asked for."""
        if self._behind:
            progress_features(self._scores, self.mode, self._progress)
            self._behind = False
        seen: dict[str, NDArray[Any]] = {"fermatas": self._fermatas, "state": self._state}
        if self.mode.soprano_is_given:
            seen |= {"soprano": self._soprano, "onsets": self._onsets}
        if self.mode.voices > 1:
            seen |= {"recent": self._recent, "sounding": self._sounding}
        else:
            seen["recent"] = self._recent[:, 0]
        return seen | {"progress_features": self._progress}

    def observation_space(self) -> spaces.Dict:
        """The space of one board's observation."""
        mode, size = self.mode, self._columns.size
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

    def seed(self, seed: int) -> None:
        """Draw briefs from now on as a new simulator with this seed does."""
        self._seed, self._drawn = seed, 0

    def set_brief(self, brief: NDArray[np.int16] | None) -> None:
        """Give every board reset from now on this brief (67,); None: the pool's, from its first."""
        super().set_brief(brief)
        self._drawn = 0

    def _check_briefs(self, briefs: NDArray[np.int16]) -> None:
        check_briefs(briefs)

    def pool(self) -> NDArray[np.int16]:
        """The briefs to draw from, (M, 67)."""
        return default_briefs(self.mode) if self._pool is None else self._pool

    def _default_briefs(self, n: int) -> NDArray[np.int16]:
        """The next n briefs (n, 67) of the pool."""
        pool = self.pool()
        at = np.arange(self._drawn, self._drawn + n) // self._group
        deals, places = at // len(pool), at % len(pool)
        rows = np.zeros(n, np.int64)
        for deal in np.unique(deals):
            order = np.random.default_rng((self._seed, int(deal))).permutation(len(pool))
            rows[deals == deal] = order[places[deals == deal]]
        self._drawn += n
        return pool[rows]

    def state(self) -> dict[str, NDArray[Any]]:
        """As in the base class, and how far the pool is dealt."""
        return super().state() | {"dealt": np.array([self._seed, self._drawn], np.int64)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from where :meth:`state` was taken."""
        super().load_state(state)
        self._seed, self._drawn = (int(value) for value in state["dealt"])

    def _begin(self, rows: NDArray[np.int64]) -> None:
        briefs, at = self.briefs[rows], self._columns
        lay_out(briefs, rows, self._given)
        scores = scores_of(self.moves[rows], briefs, self.mode)
        scores[:, self.mode.written, 0] = REST  # silence, until something is written
        self._scores[rows] = scores
        seen: tuple[NDArray[Any], ...] = (self._soprano, self._onsets, self._fermatas)
        for j, window in enumerate(seen):
            window[rows] = self._given[rows, j, :WINDOW]
        self._recent[rows], self._sounding[rows] = NO_MOVE, 0
        state, known = np.zeros((len(rows), at.size), np.int16), np.maximum(briefs, 0)
        state[:, at.sounds], state[:, at.left] = REST, EIGHTHS
        state[:, at.place], state[:, at.key_mode] = known[:, PHASE], known[:, MODE]
        state[:, at.tonic] = known[:, TONIC]
        self._state[rows] = state
        if not self._behind:
            self._progress[rows] = progress_features(scores, self.mode)

    def _play(self, actions: NDArray[np.int64]) -> None:
        step_boards(
            actions, self._written, self._given, self._soprano, self._onsets, self._fermatas,
            self._recent, self._sounding, self._state, self.counts, self._scores,
        )  # fmt: skip
        self._behind = True


class FreeSimulator(CompositionSimulator):
    """N boards on which soprano and bass are written, in turn; briefs are frames.

    Attributes:
        observations: ``recent`` (N, 2, 8) int16: the last moves of soprano and bass, newest first,
            31 for none; ``sounding`` (N, 2, 8) int16: codes of what sounded in these eighths (1:
            silence, 0: none yet); ``fermatas`` (N, 16) uint8: from 4 eighths back to 11 ahead;
            ``state`` (N, 9) int16: codes of what sounds in soprano and bass, for how many eighths
            each, place in the bar, eighths left, mode of the key, tonic, whose turn it is (0
            soprano, 1 bass); ``progress_features`` (N, 358) float32, as if both were silent from
            here on.
        moves: (N, 64) int16, padded with -1.
        briefs: (N, 67) int16: mode of the key, place in the bar, tonic and fermatas alone.
    """

    mode = FREE
    max_moves = FREE.n_moves
    world = FREE.world


class FourSimulator(CompositionSimulator):
    """N boards on which bass, tenor and alto are written to a given soprano, in turn.

    Attributes:
        observations: ``soprano``, ``onsets``, ``fermatas`` as in :class:`CompositionSimulator`;
            ``recent`` (N, 3, 8) int16: the last moves of bass, tenor and alto, newest first, 31 for
            none; ``sounding`` (N, 3, 8) int16: codes of what sounded in these eighths (1: silence,
            0: none yet); ``state`` (N, 11) int16: codes of what sounds in the three, for how many
            eighths each, place in the bar, eighths left, mode of the key, tonic, whose turn it is
            (0 bass, 1 tenor, 2 alto); ``progress_features`` (N, 540) float32, as if all three were
            silent from here on.
        moves: (N, 96) int16, padded with -1.
        briefs: (N, 67) int16: what each board answers.
    """

    mode = FOUR
    max_moves = FOUR.n_moves
    world = FOUR.world
