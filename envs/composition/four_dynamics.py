"""The dynamics in four parts, batched and compiled: bass, tenor and alto to a given soprano.

For each eighth first the bass's move, then the tenor's, then the alto's.
"""

from __future__ import annotations

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
    look,
    write_voice,
)
from move37.envs.composition.judging.progress_features import MOST, N_FOUR_ACCOUNT
from move37.envs.composition.moves import (
    EIGHTHS,
    FOUR_MOVES,
    MODE,
    N_MOVES,
    PHASE,
    REST,
    TONIC,
    WRITTEN,
)

VOICES = 3
N_STATE = 11
SOUNDS, FOR, PLACE, LEFT, KEY_MODE, KEY_TONIC, TURN = 0, 3, 6, 7, 8, 9, 10
"""Places in ``state``: what sounds in bass, tenor, alto, for how many eighths, then the rest."""

_ROWS = np.array(WRITTEN[FOUR_MOVES])


@njit(cache=True, nogil=True)
def step_parts(
    actions: NDArray[np.int64], given: NDArray[np.int16], soprano: NDArray[np.int16],
    onsets: NDArray[np.uint8], fermatas: NDArray[np.uint8], recent: NDArray[np.int16],
    sounding: NDArray[np.int16], state: NDArray[np.int16], counts: NDArray[np.int64],
    scores: NDArray[np.int16],
) -> None:  # fmt: skip
    """Play one move on every board, in place. Shapes as in :class:`FourSimulator`."""
    for i in range(actions.shape[0]):
        a = actions[i]
        if a == PAD:
            continue
        count = counts[i] - 1
        voice, t = count % VOICES, count // VOICES
        write_voice(i, voice, _ROWS[voice], t, a, SOUNDS, FOR, recent, sounding, state, scores)
        state[i, TURN] = (voice + 1) % VOICES
        if voice == VOICES - 1:
            state[i, PLACE] = (state[i, PLACE] + 1) % 8
            state[i, LEFT] -= 1
            look(i, t + 1, given, soprano, onsets, fermatas)


class FourSimulator(CompositionSimulator):
    """N boards on which bass, tenor and alto are written.

    Args:
        n: How many.
        pool: (M, 67) int16: briefs to draw from. None: :func:`.dynamics.default_briefs`.
        seed: Of their order.
        group: How often a brief is dealt before the next.

    Attributes:
        observations: ``soprano``, ``onsets``, ``fermatas`` as in :class:`CompositionSimulator`;
            ``recent`` (N, 3, 8) int16: the last moves of bass, tenor and alto, newest first, 31 for
            none; ``sounding`` (N, 3, 8) int16: codes of what sounded in these eighths (1: silence,
            0: none yet); ``state`` (N, 11) int16: codes of what sounds in the three, for how many
            eighths each, place in the bar, eighths left, mode, tonic, whose turn it is (0 bass, 1
            tenor, 2 alto); ``account`` (N, 540) float32: what the rules and the descriptor find so
            far, as if all three were silent from here on.
        moves: (N, 96) int16, padded with -1.
        briefs: (N, 67) int16: what each board answers.
    """

    max_moves = FOUR_MOVES
    world = "composition-four"

    def __init__(
        self, n: int, pool: NDArray[np.int16] | None = None, seed: int = 0, group: int = 1
    ) -> None:
        super().__init__(n, pool, seed, group)
        self._observed |= {
            "recent": np.full((n, VOICES, N_RECENT), NO_MOVE, np.int16),
            "sounding": np.zeros((n, VOICES, N_RECENT), np.int16),
            "state": np.zeros((n, N_STATE), np.int16),
            "account": np.zeros((n, N_FOUR_ACCOUNT), np.float32),
        }

    def observation_space(self) -> spaces.Dict:
        """The space of one board's observation."""
        high = np.array([N_MOVES - 1] * 3 + [EIGHTHS] * 3 + [7, EIGHTHS, 1, 11, 2], np.int16)
        of_bass: Any = super().observation_space().spaces
        return spaces.Dict(
            {key: of_bass[key] for key in ("soprano", "onsets", "fermatas")}
            | {
                "recent": spaces.Box(0, NO_MOVE, (VOICES, N_RECENT), np.int16),
                "sounding": spaces.Box(0, N_MOVES - 1, (VOICES, N_RECENT), np.int16),
                "state": spaces.Box(np.zeros(N_STATE, np.int16), high, (N_STATE,), np.int16),
                "account": spaces.Box(-MOST, MOST, (N_FOUR_ACCOUNT,), np.float32),
            }
        )

    def _begin(self, rows: NDArray[np.int64]) -> None:
        self._lay(rows)
        given, obs = np.maximum(self.briefs[rows], 0), self._observed
        for j, key in enumerate(("soprano", "onsets", "fermatas")):
            obs[key][rows] = self._given[rows, j, :WINDOW]
        obs["recent"][rows], obs["sounding"][rows] = NO_MOVE, 0
        state = np.zeros((len(rows), N_STATE), np.int16)
        state[:, SOUNDS : SOUNDS + VOICES], state[:, LEFT] = REST, EIGHTHS
        state[:, PLACE], state[:, KEY_MODE] = given[:, PHASE], given[:, MODE]
        state[:, KEY_TONIC] = given[:, TONIC]
        obs["state"][rows] = state
        self._begin_accounts(rows)

    def _play(self, actions: NDArray[np.int64]) -> None:
        obs = self._observed
        step_parts(
            actions, self._given, obs["soprano"], obs["onsets"], obs["fermatas"], obs["recent"],
            obs["sounding"], obs["state"], self.counts, self._scores,
        )  # fmt: skip
        self._behind = True
