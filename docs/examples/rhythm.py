"""A world of your own: the rhythm of one voice, 32 eighth notes long."""

import numpy as np
from gymnasium import spaces

from move37.envs.base.registry import make_world
from move37.envs.base.simulator import Simulator
from move37.envs.base.splits import Splits
from move37.envs.base.works import PAD, Works, join_works, write_atomically
from move37.envs.base.world import World

HOLD, REST, STRIKE = range(3)
EIGHTHS, UPBEAT = 32, 6
"""A work begins with an upbeat of a quarter: on place 6 of a bar of 8 eighths."""
RECENT = 16
PLACES = (UPBEAT + np.arange(EIGHTHS)) % 8


class RhythmSimulator(Simulator):
    """A move says what the voice does in the next eighth: hold on, rest, or strike a note."""

    n_actions, max_moves, world = 3, EIGHTHS, "rhythm"

    def observation_space(self):
        """The last moves, newest first (3: none), the place in the bar, and the eighths left."""
        return spaces.Dict(
            {
                "recent": spaces.Box(0, 3, (RECENT,), np.int16),
                "place": spaces.Box(0, 7, (1,), np.int16),
                "left": spaces.Box(0, EIGHTHS, (1,), np.int16),
            }
        )

    @property
    def observations(self):
        """Made of the moves alone: nothing else has to be kept, or restored."""
        at = self.counts[:, None] - 1 - np.arange(RECENT)
        moves = np.take_along_axis(self.moves, np.maximum(at, 0), axis=1)
        return {
            "recent": np.where(at >= 0, moves, 3).astype(np.int16),
            "place": ((UPBEAT + self.counts[:, None]) % 8).astype(np.int16),
            "left": (EIGHTHS - self.counts[:, None]).astype(np.int16),
        }

    def _play(self, actions):
        """There is nothing to change beside the moves."""


def write_lines(works, path):
    """One rhythm a line: x strikes, - holds, . rests."""
    lines = ["".join("-.x"[move] for move in row[row != PAD]) for row in works.moves]
    write_atomically(path, "\n".join([*lines, ""]).encode())


class RhythmWorld(World):
    """Human works are the rhythms of the basses in Bach's chorales, each of them once."""

    id = "rhythm"
    simulator_class = RhythmSimulator
    exports = {"lines": ("FILE.txt", "write one line of text per work", write_lines)}  # noqa: RUF012
    ppo = {"n_envs": 128, "n_steps": 32}  # noqa: RUF012  # works are as long as a rollout

    def load_splits(self):
        """Read the chorales through the composition world, and split the rhythms by chance."""
        chorales = make_world("composition", self.corpus, self.withhold)
        basses = join_works([chorales.train, chorales.held_out, chorales.judged_from])
        basses = basses[basses.briefs[:, 1] == UPBEAT]  # the place in the bar of the first eighth
        moves, first = np.unique(np.minimum(basses.moves, STRIKE), axis=0, return_index=True)
        names = tuple(basses.names[i] for i in first)
        works = Works(self.id, moves.astype(np.int16), names=names)
        return Splits.of(works, limit=self.limit, seed=self.seed)

    def images_of(self, moves, briefs):
        """(N, 20, 32): a row of 4 points a bar, 4 points an eighth; a tall stroke is a note."""
        out = np.zeros((len(moves), 5, 4, 8, 4), np.uint8)
        for t in range(moves.shape[1]):
            bar, place = divmod(UPBEAT + t, 8)
            out[moves[:, t] == STRIKE, bar, :3, place, 0] = 1
            out[_sounds(moves)[:, t], bar, 2, place, :3] = 1
        return out.reshape(len(moves), 20, 32)

    def rule_scores(self, works):
        """Four rules that most of the human works obey."""
        moves = works.moves
        struck, sounds = moves == STRIKE, _sounds(moves)
        onsets = struck.sum(axis=1)
        beats = struck[:, PLACES % 2 == 0].mean(axis=1)
        off = struck[:, :-1] & (PLACES[:-1] % 2 == 1)
        late = (off & (moves[:, 1:] == HOLD)).sum(axis=1)  # held over the next beat
        return {
            "beats are struck": np.clip(beats / 0.75, 0, 1),
            "few syncopations": np.clip(1 - late / 4, 0, 1),
            "neither slow nor hasty": np.clip(1 - np.abs(onsets - 19) / 19, 0, 1),
            "no silence": sounds.mean(axis=1),
        }

    def sound(self, works):
        """A click for each note, ten eighths a second... at 8,000 samples a second."""
        step, rate = 1600, 8000
        out = np.zeros((len(works), EIGHTHS, step), np.float32)
        click = np.sin(np.arange(400) * 0.8) * np.linspace(0.8, 0, 400)
        out[:, : works.moves.shape[1], :400] += (works.moves == STRIKE)[:, :, None] * click
        return out.ravel(), rate


def _sounds(moves):
    """(N, T) bool: in which eighths a note sounds."""
    last = np.zeros(len(moves), bool)
    out = np.zeros(moves.shape, bool)
    for t in range(moves.shape[1]):
        last = (moves[:, t] == STRIKE) | (last & (moves[:, t] == HOLD))
        out[:, t] = last
    return out
