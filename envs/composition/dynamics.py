"""The dynamics of the composition world, once, batched and compiled.

State is a struct of arrays with one leading axis of N boards. The compiled functions know nothing
of rewards or of Gymnasium.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from gymnasium import spaces
from numba import njit
from numpy.typing import NDArray

from move37.envs.base.simulator import Simulator
from move37.envs.base.works import PAD
from move37.envs.composition.corpus.chorales import load_corpus
from move37.envs.composition.judging.progress_features import MOST, N_ACCOUNT, account_of
from move37.envs.composition.moves import (
    BASS_ROW,
    BRIEF,
    EIGHTHS,
    FERMATA,
    FIRST_NOTE,
    HOLD,
    MAX_MOVES,
    MODE,
    N_MOVES,
    N_SOPRANO,
    PHASE,
    REST,
    SOPRANO,
    TONIC,
    check,
    rows_written,
    scores_of,
    silence_ahead,
)
from move37.envs.composition.score.roll import rolls_of

N_RECENT = 8
NO_MOVE = N_MOVES
"""Stands in ``recent`` where there is no earlier move."""
BEHIND, AHEAD = 4, 12
"""The given voice is seen from 4 eighths before the one to write to 11 after it."""
WINDOW = BEHIND + AHEAD
OUTSIDE = 0
"""Stands in ``soprano`` before the beginning and after the end of the work."""
N_STATE = 6


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
    state: NDArray[np.int16], counts: NDArray[np.int64], scores: NDArray[np.int16],
) -> None:  # fmt: skip
    """Play one move on every board, in place. Shapes as in :class:`CompositionSimulator`."""
    for i in range(actions.shape[0]):
        a = actions[i]
        if a == PAD:
            continue
        scores[i, BASS_ROW, counts[i] - 1] = a
        if counts[i] < MAX_MOVES:
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
        state[i, 3] = MAX_MOVES - counts[i]
        look(i, counts[i], given, soprano, onsets, fermatas)


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


def images_of(
    moves: NDArray[np.int16], briefs: NDArray[np.int16] | None = None
) -> NDArray[np.uint8]:
    """Piano rolls (N, 64, 64) uint8 in {0, 1} of works' moves (N, T) and briefs (N, 67)."""
    briefs = np.zeros((len(moves), 0), np.int16) if briefs is None else briefs
    return rolls_of(scores_of(moves, briefs))


@lru_cache(maxsize=1)
def default_briefs() -> NDArray[np.int16]:
    """Briefs (M, 67) of the training tunes of Bach's chorales: a core's default."""
    corpus = load_corpus("bach")
    return corpus.works.briefs[corpus.split()["train"]]


class CompositionSimulator(Simulator):
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
        briefs: (N, 67) int16: what each board answers.
    """

    n_actions = N_MOVES
    max_moves = MAX_MOVES
    brief_width = BRIEF
    world = "composition"
    writes_both = False

    def __init__(
        self, n: int, pool: NDArray[np.int16] | None = None, seed: int = 0, group: int = 1
    ) -> None:
        super().__init__(n)
        self._observed: dict[str, NDArray[Any]] = {
            "soprano": np.zeros((n, WINDOW), np.int16),
            "onsets": np.zeros((n, WINDOW), np.uint8),
            "fermatas": np.zeros((n, WINDOW), np.uint8),
            "recent": np.full((n, N_RECENT), NO_MOVE, np.int16),
            "state": np.zeros((n, N_STATE), np.int16),
            "account": np.zeros((n, N_ACCOUNT), np.float32),
        }
        unwritten = np.full((n, self.max_moves), PAD, np.int16)
        self._scores = scores_of(unwritten, np.zeros((n, 0), np.int16))
        self._given = np.zeros((n, 3, BEHIND + EIGHTHS + AHEAD), np.int16)
        self._behind = False
        self._pool, self._group = pool, group
        self.seed(seed)

    @property
    def observations(self) -> dict[str, NDArray[Any]]:
        """What is seen of every board; the account, which costs most, is taken when asked for."""
        if self._behind:
            account_of(self._scores, self._observed["account"], self.writes_both)
            self._behind = False
        return self._observed

    def _begin_accounts(self, rows: NDArray[np.int64]) -> None:
        """Take the account of the boards ``rows``, which have begun anew."""
        if not self._behind:
            scores = self._scores[rows]
            self._observed["account"][rows] = account_of(scores, both=self.writes_both)

    def seed(self, seed: int) -> None:
        """Draw briefs from now on as a new core with this seed does."""
        self._seed, self._drawn = seed, 0

    @classmethod
    def parse_brief(cls, brief: Any) -> NDArray[np.int16]:
        """Check a brief; see :func:`parse_brief`."""
        return parse_brief(brief)

    def observation_space(self) -> spaces.Dict:
        """The space of one board's observation."""
        high = np.array([N_MOVES - 1, EIGHTHS, 7, EIGHTHS, 1, 11], np.int16)
        return spaces.Dict(
            {
                "soprano": spaces.Box(0, N_SOPRANO - 1, (WINDOW,), np.int16),
                "onsets": spaces.Box(0, 1, (WINDOW,), np.uint8),
                "fermatas": spaces.Box(0, 1, (WINDOW,), np.uint8),
                "recent": spaces.Box(0, NO_MOVE, (N_RECENT,), np.int16),
                "state": spaces.Box(np.zeros(N_STATE, np.int16), high, (N_STATE,), np.int16),
                "account": spaces.Box(-MOST, MOST, (N_ACCOUNT,), np.float32),
            }
        )

    def set_brief(self, brief: NDArray[np.int16] | None) -> None:
        """Give every board reset from now on this brief (67,); None: the pool's, from its first."""
        super().set_brief(brief)
        self._drawn = 0

    def _check_briefs(self, briefs: NDArray[np.int16]) -> None:
        check(np.zeros((len(briefs), 0), np.int16), briefs)

    def pool(self) -> NDArray[np.int16]:
        """The briefs to draw from, (M, 67)."""
        return default_briefs() if self._pool is None else self._pool

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

    def _lay(self, rows: NDArray[np.int64]) -> None:
        """Make what is given, and the scores so far, of the boards ``rows`` from their moves."""
        lay_out(self.briefs[rows], rows, self._given)
        ahead = scores_of(self.moves[rows], self.briefs[rows])
        silence_ahead(ahead, self.counts[rows], rows_written(self.moves))
        self._scores[rows] = ahead

    def _begin(self, rows: NDArray[np.int64]) -> None:
        self._lay(rows)
        given, obs = np.maximum(self.briefs[rows], 0), self._observed
        for j, key in enumerate(("soprano", "onsets", "fermatas")):
            obs[key][rows] = self._given[rows, j, :WINDOW]
        obs["recent"][rows] = NO_MOVE
        state = np.zeros((len(rows), N_STATE), np.int16)
        state[:, 0], state[:, 3] = REST, MAX_MOVES
        state[:, 2], state[:, 4], state[:, 5] = given[:, PHASE], given[:, MODE], given[:, TONIC]
        obs["state"][rows] = state
        self._begin_accounts(rows)

    def _play(self, actions: NDArray[np.int64]) -> None:
        obs = self._observed
        step_boards(
            actions, self._given, obs["soprano"], obs["onsets"], obs["fermatas"], obs["recent"],
            obs["state"], self.counts, self._scores,
        )  # fmt: skip
        self._behind = True


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
    check(np.zeros((1, 0), np.int16), given[None])
    return given.astype(np.int16)
