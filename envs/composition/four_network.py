"""The network in four parts: it writes bass, tenor and alto, and knows whose turn it is.

As in ``network`` a note is scored three times: as a pitch, as an interval from
the note before in its own voice, and as an interval to another voice: the bass's under the soprano,
those of tenor and alto above the bass.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from move37.envs.composition.dynamics import BEHIND, N_RECENT, NO_MOVE, WINDOW
from move37.envs.composition.four_dynamics import (
    FOR,
    KEY_MODE,
    KEY_TONIC,
    LEFT,
    N_STATE,
    PLACE,
    SOUNDS,
    TURN,
    VOICES,
)
from move37.envs.composition.judging.progress_features import N_FOUR_ACCOUNT
from move37.envs.composition.moves import (
    EIGHTHS,
    FIRST_NOTE,
    FOUR_MOVES,
    LOWEST,
    N_MOVES,
    N_SOPRANO,
    SOPRANO_LOW,
    WRITTEN,
)
from move37.envs.composition.network import N_GAPS, N_NOTES, N_STEPS, OFFSET, ScoreNetwork

DEGREES = 12
"""Silence stands after the twelve pitch classes, and after the twelve intervals."""
PAIRS = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Of bass, tenor, alto and soprano."""
HEARD = 5
"""Eighths in which the intervals between all voices are seen, the one to write among them."""
_LOWS = tuple(LOWEST[row] for row in WRITTEN[FOUR_MOVES])


def _tables() -> tuple[Tensor, Tensor]:
    """Where the head's intervals stand for each note.

    Returns:
        (31, 29) int64: by what sounds in the voice itself; (3, 31, 29): by turn, and by what sounds
        in the soprano (for the bass) or in the bass. The index after the last interval stands for
        none.
    """
    notes, codes = torch.arange(FIRST_NOTE, N_MOVES), torch.arange(N_MOVES)
    steps = notes[None] - codes[:, None] + N_NOTES - 1
    # Upper voice minus lower voice, in semitones, each from the smallest there can be.
    under = codes[:, None] - notes[None] + OFFSET + N_NOTES - 1
    over = [notes[None] - codes[:, None] + low - _LOWS[0] + N_NOTES - 1 for low in _LOWS[1:]]
    gaps = torch.stack([under, *over]).clamp(0, N_GAPS - 1)
    steps[:FIRST_NOTE], gaps[:, :FIRST_NOTE] = N_STEPS, N_GAPS
    return steps, gaps


class FourNetwork(ScoreNetwork):
    """Observation of :class:`FourSimulator` -> logits and features.

    Args:
        width: Size of the hidden layers.
        embedding: Numbers per move.
        dropout: Share of the features dropped while training (the imitator only).
    """

    slots: Tensor
    lows: Tensor
    degree_slots: Tensor
    sound_slots: Tensor
    pair_slots: Tensor
    step_of: Tensor
    gap_of: Tensor

    def __init__(self, width: int = 320, embedding: int = 12, dropout: float = 0.0) -> None:
        half = embedding // 2
        n_given = WINDOW * (2 * half + 2)
        n_own = N_RECENT * VOICES * (embedding + 2 * half)
        n_chord = VOICES * (embedding + half) + len(PAIRS) * HEARD * half
        n_inputs = n_given + n_own + n_chord + embedding + 2 * half + VOICES + 1 + VOICES
        super().__init__(n_inputs, N_FOUR_ACCOUNT, VOICES, width, dropout)
        self.above = nn.Embedding(DEGREES + 1, half)
        self.height = nn.Embedding(N_SOPRANO, half)
        self.move = nn.Embedding(VOICES * N_RECENT * (NO_MOVE + 1), embedding)
        self.degree = nn.Embedding(VOICES * (DEGREES + 1), half)
        self.step = nn.Embedding(N_STEPS + 1, half)
        self.interval = nn.Embedding(len(PAIRS) * (DEGREES + 1), half)
        self.sounds = nn.Embedding(VOICES * N_MOVES, embedding)
        self.place = nn.Embedding(8, embedding)
        self.left = nn.Embedding(EIGHTHS + 1, half)
        self.tonic = nn.Embedding(12, half)
        self.begin_small()
        voices = torch.arange(VOICES)
        steps, gaps = _tables()
        for name, table in (
            ("slots", torch.arange(VOICES * N_RECENT).view(VOICES, N_RECENT) * (NO_MOVE + 1)),
            ("lows", torch.tensor(_LOWS)[:, None] - FIRST_NOTE),
            ("degree_slots", voices[:, None] * (DEGREES + 1)),
            ("sound_slots", voices * N_MOVES),
            ("pair_slots", torch.arange(len(PAIRS))[:, None] * (DEGREES + 1)),
            ("step_of", steps),
            ("gap_of", gaps),
        ):
            self.register_buffer(name, table, persistent=False)

    def forward(self, obs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Score the moves.

        Args:
            obs: ``soprano``, ``onsets``, ``fermatas`` (N, 16), ``recent`` and ``sounding``
                (N, 3, 8), ``state`` (N, 11), ``account`` (N, 540); any number type.

        Returns:
            logits (N, 31) and features (N, width + 540), float32: the account stands among them as
            it is, for a value head.
        """
        state, sounding = obs["state"].long(), obs["sounding"].long()
        soprano = obs["soprano"].long()
        assert state.shape[1] == N_STATE
        turn, now = state[:, TURN], state[:, SOUNDS : SOUNDS + VOICES]
        sung, top = soprano >= FIRST_NOTE, soprano + (SOPRANO_LOW - FIRST_NOTE)
        flags = torch.stack([obs["onsets"].float(), obs["fermatas"].float()], 2)
        given = [self.above(torch.where(sung, top % 12, DEGREES)), self.height(soprano), flags]
        heard, pitch = sounding >= FIRST_NOTE, sounding + self.lows
        degree = torch.where(heard, pitch % 12, DEGREES) + self.degree_slots
        steps = now[:, :, None] - sounding + N_NOTES - 1
        steps = torch.where(heard & (now[:, :, None] >= FIRST_NOTE), steps, N_STEPS)
        own = [self.move(obs["recent"].long() + self.slots), self.degree(degree), self.step(steps)]
        sounds, at = now >= FIRST_NOTE, now + self.lows[:, 0]
        names = torch.where(sounds, at % 12, DEGREES)
        chord = [
            self.sounds(now + self.sound_slots),
            self.degree(names + self.degree_slots[:, 0]),
        ]
        # The intervals between all voices, in this eighth and the last ones. A voice whose turn
        # is still to come has not sounded in this one.
        later = (turn[:, None] <= torch.arange(VOICES))[:, :, None]
        past = torch.cat([torch.zeros_like(sounding[:, :, :1]), sounding[:, :, :-1]], 2)
        lined = torch.where(later, past, sounding)[:, :, :HEARD]
        sung_then = soprano[:, BEHIND - HEARD + 1 : BEHIND + 1].flip(1)[:, None]
        codes = torch.cat([lined, sung_then], 1)
        lows = torch.cat([self.lows, torch.tensor([[SOPRANO_LOW - FIRST_NOTE]])])
        heights, heard_then = codes + lows, codes >= FIRST_NOTE
        lower, upper = (list(voices) for voices in zip(*PAIRS, strict=True))
        both = heard_then[:, lower] & heard_then[:, upper]
        between = torch.where(both, (heights[:, upper] - heights[:, lower]) % 12, DEGREES)
        intervals = self.interval(between + self.pair_slots)
        account = obs["account"].float()
        parts = [
            torch.cat(given, 2).flatten(1), torch.cat(own, 3).flatten(1),
            torch.cat(chord, 2).flatten(1), intervals.flatten(1), self.place(state[:, PLACE]),
            self.left(state[:, LEFT]), self.tonic(state[:, KEY_TONIC]),
            state[:, FOR : FOR + VOICES].float() / 8, state[:, [KEY_MODE]].float(),
            torch.nn.functional.one_hot(turn, VOICES).float(),
        ]  # fmt: skip
        x = self.hidden(parts, account)
        every = self.head(x).view(len(x), VOICES, -1)
        scores = every.gather(1, turn[:, None, None].expand(-1, 1, every.shape[2])).squeeze(1)
        mine = now.gather(1, turn[:, None]).squeeze(1)
        other = torch.where(turn == 0, soprano[:, BEHIND], now[:, 0])
        logits = self.scored(scores, self.step_of[mine], self.gap_of[turn, other])
        return logits, torch.cat([x, account], 1)
