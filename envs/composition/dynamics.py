"""The dynamics of the composition world, once, batched and compiled.

State is a struct of arrays with one leading axis of N boards. The compiled functions know nothing
of rewards or of Gymnasium.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from gymnasium import spaces
from numba import njit
from numpy.typing import NDArray

from move37.envs.base.works import PAD
from move37.envs.composition.corpus.chorales import load_corpus
from move37.envs.composition.judging.progress_features import MOST, n_progress, progress_features
from move37.envs.composition.modes import BASS, Mode
from move37.envs.composition.moves import (
    BASS_ROW,
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
from move37.envs.composition.score.roll import rolls_of
from move37.envs.composition.scores import scores_of, silence_ahead

N_RECENT = 8
NO_MOVE = N_MOVES
"""Stands in ``recent`` where there is no earlier move."""
BEHIND, AHEAD = 4, 12
"""The given voice is seen from 4 eighths before the one to write to 11 after it."""
WINDOW = BEHIND + AHEAD
OUTSIDE = 0
"""Stands in ``soprano`` before the beginning and after the end of the work."""
N_STATE = 6


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
    """Where things stand in ``state``."""
    v = mode.voices
    rest = range(2 * v, 2 * v + 5)
    return StateColumns(slice(0, v), slice(v, 2 * v), *rest, size=2 * v + 4 + (v > 1))


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
def look(
    i: int, at: int, given: NDArray[np.int16], soprano: NDArray[np.int16],
    onsets: NDArray[np.uint8], fermatas: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Copy what is seen of the given voice at eighth ``at`` into the observation of board i."""
    for j in range(WINDOW):
        soprano[i, j] = given[i, 0, at + j]
        onsets[i, j] = given[i, 1, at + j]
        fermatas[i, j] = given[i, 2, at + j]


@njit(cache=True, nogil=True)
def step_boards(
    actions: NDArray[np.int64], given: NDArray[np.int16], soprano: NDArray[np.int16],
    onsets: NDArray[np.uint8], fermatas: NDArray[np.uint8], recent: NDArray[np.int16],
    state: NDArray[np.int16], moves: NDArray[np.int16], counts: NDArray[np.int64],
    scores: NDArray[np.int16], done: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Play one move on every board, in place. Shapes as in :class:`CompositionSimulator`."""
    for i in range(actions.shape[0]):
        a = actions[i]
        moves[i, counts[i]] = a
        scores[i, BASS_ROW, counts[i]] = a
        counts[i] += 1
        if counts[i] < EIGHTHS:
            scores[i, BASS_ROW, counts[i]] = REST
        for j in range(N_RECENT - 1, 0, -1):
            recent[i, j] = recent[i, j - 1]
        recent[i, 0] = a
        if a == HOLD:
            state[i, 1] += 1
        else:
            state[i, 0] = a
            state[i, 1] = 1
        state[i, 2] = (state[i, 2] + 1) % 8
        state[i, 3] = EIGHTHS - counts[i]
        look(i, counts[i], given, soprano, onsets, fermatas)
        done[i] = counts[i] == EIGHTHS


@njit(cache=True, nogil=True)
def write_voice(
    i: int, voice: int, row: int, t: int, a: int, sounds: int, held: int,
    recent: NDArray[np.int16], sounding: NDArray[np.int16], state: NDArray[np.int16],
    scores: NDArray[np.int16],
) -> None:  # fmt: skip
    """Let one of several voices of board i make move a in eighth t, in place.

    Args:
        i: Of the board.
        voice: Of those written, in turn.
        row: Of the score.
        t: The eighth.
        a: The move.
        sounds: Where ``state`` says what sounds in the first voice.
        held: Where it says for how many eighths.
        recent: (N, V, 8).
        sounding: (N, V, 8).
        state: (N, S).
        scores: (N, 5, 32) or (N, 7, 32).
    """
    scores[i, row, t] = a
    if t + 1 < EIGHTHS:
        scores[i, row, t + 1] = REST  # nothing sounds beyond what is written
    if a == HOLD:
        state[i, held + voice] += 1
    else:
        state[i, sounds + voice] = a
        state[i, held + voice] = 1
    for j in range(N_RECENT - 1, 0, -1):
        recent[i, voice, j] = recent[i, voice, j - 1]
        sounding[i, voice, j] = sounding[i, voice, j - 1]
    recent[i, voice, 0] = a
    sounding[i, voice, 0] = state[i, sounds + voice]


@lru_cache(maxsize=1)
def default_briefs() -> NDArray[np.int16]:
    """Briefs (M, 67) of the training tunes of Bach's chorales: a core's default."""
    corpus = load_corpus("bach")
    return corpus.works.briefs[corpus.split()["train"]]


class CompositionSimulator:
    """N boards.

    Args:
        n: How many.
        pool: (M, 67) int16: briefs to draw from, each once before any comes again, in an order
            that begins anew with every :meth:`set_brief`. None: :func:`default_briefs`.
        seed: Of that order; see also :meth:`seed`.
        group: How often a brief is dealt before the next: several answers to one brief can be
            compared with each other.

    Attributes:
        observations: ``soprano`` (N, 16) int16: codes of what sounds in the given voice from 4
            eighths back to 11 ahead, the eighth to write at place 4 (0 outside the work, 1
            silence); ``onsets`` and ``fermatas`` (N, 16) uint8: where its notes begin, and which
            have a fermata; ``recent`` (N, 8) int16: the last moves, newest first, 31 for none;
            ``state`` (N, 6) int16: code of what sounds in the bass (1: silence), for how many
            eighths, place in the bar, eighths left, mode, tonic; ``account`` (N, 186) float32: what
            the rules and the descriptor find in the bass so far, as if it were silent from here on
            (:mod:`move37.envs.composition.judging.progress_features`).
        moves: (N, 32) int16, padded with -1.
        counts: (N,) int64: moves made.
        briefs: (N, 67) int16: what each board answers.
    """

    n_moves = N_MOVES
    max_moves = EIGHTHS
    mode: ClassVar[Mode] = BASS

    def __init__(
        self, n: int, pool: NDArray[np.int16] | None = None, seed: int = 0, group: int = 1
    ) -> None:
        self.n = n
        self._observed: dict[str, NDArray[Any]] = {
            "soprano": np.zeros((n, WINDOW), np.int16),
            "onsets": np.zeros((n, WINDOW), np.uint8),
            "fermatas": np.zeros((n, WINDOW), np.uint8),
            "recent": np.full((n, N_RECENT), NO_MOVE, np.int16),
            "state": np.zeros((n, N_STATE), np.int16),
            "progress_features": np.zeros((n, n_progress(self.mode)), np.float32),
        }
        unwritten = np.full((n, self.max_moves), PAD, np.int16)
        self._scores = scores_of(unwritten, np.zeros((n, 0), np.int16), self.mode)
        self.moves = np.full((n, EIGHTHS), PAD, np.int16)
        self.counts = np.zeros(n, np.int64)
        self.briefs = np.full((n, BRIEF), PAD, np.int16)
        self._given = np.zeros((n, 3, BEHIND + EIGHTHS + AHEAD), np.int16)
        self._done = np.zeros(n, np.bool_)
        self._behind = False
        self._brief: NDArray[np.int16] | None = None
        self._pool, self._group = pool, group
        self.seed(seed)

    @property
    def observations(self) -> dict[str, NDArray[Any]]:
        """What is seen of every board; the account, which costs most, is taken when asked for."""
        if self._behind:
            progress_features(self._scores, self.mode, self._observed["progress_features"])
            self._behind = False
        return self._observed

    def _begin_features(self, rows: NDArray[np.int64]) -> None:
        """Take the account of the boards ``rows``, which have begun anew."""
        if not self._behind:
            scores = self._scores[rows]
            self._observed["progress_features"][rows] = progress_features(scores, self.mode)

    def seed(self, seed: int) -> None:
        """Draw briefs from now on as a new core with this seed does."""
        self._seed, self._drawn = seed, 0

    @staticmethod
    def parse(brief: Any) -> NDArray[np.int16]:
        """Check a brief; see :func:`parse_brief`."""
        return parse_brief(brief)

    @staticmethod
    def observation_space() -> spaces.Dict:
        """The space of one board's observation."""
        high = np.array([N_MOVES - 1, EIGHTHS, 7, EIGHTHS, 1, 11], np.int16)
        return spaces.Dict(
            {
                "soprano": spaces.Box(0, N_SOPRANO - 1, (WINDOW,), np.int16),
                "onsets": spaces.Box(0, 1, (WINDOW,), np.uint8),
                "fermatas": spaces.Box(0, 1, (WINDOW,), np.uint8),
                "recent": spaces.Box(0, NO_MOVE, (N_RECENT,), np.int16),
                "state": spaces.Box(np.zeros(N_STATE, np.int16), high, (N_STATE,), np.int16),
                "progress_features": spaces.Box(-MOST, MOST, (n_progress(BASS),), np.float32),
            }
        )

    def set_brief(self, brief: NDArray[np.int16] | None) -> None:
        """Give every board reset from now on this brief ((67,), checked); None: the pool's."""
        self._drawn = 0
        self._brief = None if brief is None or not len(brief) else np.asarray(brief, np.int16)

    def pool(self) -> NDArray[np.int16]:
        """The briefs to draw from, (M, 67)."""
        return default_briefs() if self._pool is None else self._pool

    def draw(self, n: int) -> NDArray[np.int16]:
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
        """The brief that boards are reset to, and how far the pool is dealt."""
        brief = np.zeros(0, np.int16) if self._brief is None else self._brief
        return {"brief": brief, "dealt": np.array([self._seed, self._drawn], np.int64)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what :meth:`state` gave; the attributes are set by the caller."""
        self.set_brief(self.parse(state["brief"]))
        self._seed, self._drawn = (int(value) for value in state["dealt"])
        self._lay(np.arange(self.n))

    def _lay(self, rows: NDArray[np.int64]) -> None:
        """Make what is given, and the scores so far, of the boards ``rows`` from their moves."""
        lay_out(self.briefs[rows], rows, self._given)
        ahead = scores_of(self.moves[rows], self.briefs[rows], self.mode)
        silence_ahead(ahead, self.counts[rows], self.mode)
        self._scores[rows] = ahead

    def next_briefs(self, n: int, briefs: NDArray[np.int16] | None) -> NDArray[np.int16]:
        """The briefs (n, 67) that n boards are reset to: those given, the one set, or the pool's.

        Raises:
            ValueError: If the shape is wrong.
        """
        if briefs is None:
            briefs = self.draw(n) if self._brief is None else np.tile(self._brief, (n, 1))
        elif briefs.shape[1] == 0:
            briefs = np.full((n, BRIEF), PAD, np.int16)
        if briefs.shape != (n, BRIEF):
            raise ValueError(f"briefs: expected shape ({n}, {BRIEF}), got {briefs.shape}")
        return np.ascontiguousarray(briefs, np.int16)

    def clear(
        self, rows: NDArray[np.int64], briefs: NDArray[np.int16] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
        """Begin the boards ``rows`` (R,) anew, but for what is observed; see :meth:`reset`.

        Returns:
            The rows, and what their briefs (R, 67) give, 0 where they are empty.
        """
        rows = np.asarray(rows, np.int64)
        briefs = self.next_briefs(len(rows), briefs)
        check_briefs(briefs)
        self.briefs[rows] = briefs
        self.moves[rows] = PAD
        self.counts[rows] = 0
        self._lay(rows)
        return rows, np.maximum(briefs, 0)

    def reset(self, rows: NDArray[np.int64], briefs: NDArray[np.int16] | None = None) -> None:
        """Clear the boards ``rows`` ((R,) int64) and lay ``briefs`` (R, 67) before them.

        Without briefs it is the one set, or the pool's next. Briefs of width 0, or rows of -1, are
        empty: a silent soprano in C major.
        """
        if not len(rows):
            return
        rows, given = self.clear(rows, briefs)
        obs = self._observed
        for j, key in enumerate(("soprano", "onsets", "fermatas")):
            obs[key][rows] = self._given[rows, j, :WINDOW]
        obs["recent"][rows] = NO_MOVE
        state = np.zeros((len(rows), N_STATE), np.int16)
        state[:, 0], state[:, 3] = REST, EIGHTHS
        state[:, 2], state[:, 4], state[:, 5] = given[:, PHASE], given[:, MODE], given[:, TONIC]
        obs["state"][rows] = state
        self._begin_features(rows)

    def step(self, actions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Play one move on every board.

        Args:
            actions: (N,) int64 in 0..30.

        Returns:
            (N,) bool: which works are finished, by their 32nd move. The array is used again by
            the next step.

        Raises:
            ValueError: If an action is out of range or the shape is wrong.
        """
        self.check_actions(actions)
        obs = self._observed
        step_boards(
            actions, self._given, obs["soprano"], obs["onsets"], obs["fermatas"], obs["recent"],
            obs["state"], self.moves, self.counts, self._scores, self._done,
        )  # fmt: skip
        self._behind = True
        return self._done

    def check_actions(self, actions: NDArray[np.int64]) -> None:
        """Refuse what is no move; see :meth:`step`."""
        if actions.shape != (self.n,):
            raise ValueError(f"actions: expected shape ({self.n},), got {actions.shape}")
        if actions.min() < 0 or actions.max() >= N_MOVES:
            bad = actions[(actions < 0) | (actions >= N_MOVES)][0]
            raise ValueError(f"actions: {bad} is no move; moves are 0 to {N_MOVES - 1}")

    def images(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(R, 64, 64) uint8 in {0, 1}: piano rolls of the boards ``rows``, soprano included."""
        return rolls_of(scores_of(self.moves[rows], self.briefs[rows], self.mode))


def parse_brief(brief: Any) -> NDArray[np.int16]:
    """Check a brief: (67,) as in ``moves``, or the 32 codes of a soprano.

    Codes alone are taken to be in C major, to begin with a bar, with a fermata on the last note.

    Raises:
        ValueError: If something in it is out of range.
    """
    if brief is None or len(brief) == 0:
        return np.zeros(0, np.int16)
    given = np.asarray(brief).astype(np.int64)
    if given.shape == (EIGHTHS,):
        whole = np.zeros(BRIEF, np.int64)
        whole[SOPRANO:FERMATA] = given
        last = np.flatnonzero(given != HOLD)[-1] if (given != HOLD).any() else 0
        whole[FERMATA + last :] = 1
        given = whole
    if given.shape != (BRIEF,):
        raise ValueError(f"brief: expected shape ({BRIEF},) or ({EIGHTHS},), got {given.shape}")
    if (given == PAD).all():
        return given.astype(np.int16)
    if (given < 0).any():
        raise ValueError(f"brief: {given[given < 0][0]} is out of range")
    check_briefs(given[None])
    return given.astype(np.int16)
