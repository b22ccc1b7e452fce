"""The composition world's environments.

`Move37/Composition-v0`, `Move37/CompositionFree-v0` and `Move37/CompositionFour-v0`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.appraisal import Appraisal, Appraiser
from move37.envs.base.gym_views import WorldEnv, WorldVectorEnv
from move37.envs.base.simulator import Simulator
from move37.envs.composition.dynamics import CompositionSimulator, FourSimulator, FreeSimulator
from move37.envs.composition.rules.form import form_quality
from move37.envs.composition.score.render import picture


def _render(simulator: Simulator, i: int, size: int) -> NDArray[np.uint8]:
    assert isinstance(simulator, CompositionSimulator)
    return picture(simulator.moves[i], simulator.briefs[i], simulator.mode, size)


class CompositionEnv(WorldEnv):
    """Write the bass to a given soprano, an eighth note at a time.

    ## Description
    The soprano of two phrases of a Bach chorale, 32 eighths, is given: the brief. The agent writes
    the bass from left to right. Everything is written as if in C, major or minor.

    ## Action Space
    ``Discrete(31)``: 0 HOLD (go on with the note or the rest), 1 REST, 2 to 30 begin a note, MIDI
    36 (C2) to 64 (E4).

    ## Observation Space
    | key                | shape  | type    | values                                            |
    |--------------------|--------|---------|---------------------------------------------------|
    | soprano            | (16,)  | int16   | what sounds in the soprano from 4 eighths back to |
    |                    |        |         | 11 ahead (the eighth to write is place 4): 0      |
    |                    |        |         | outside the work, 1 silence, 2 to 30 MIDI 56 to   |
    |                    |        |         | 84                                                |
    | onsets             | (16,)  | uint8   | 1 where a soprano note begins                     |
    | fermatas           | (16,)  | uint8   | 1 where a soprano note with a fermata sounds      |
    | recent             | (8,)   | int16   | last eight moves, newest first; 31 for none       |
    | state              | (6,)   | int16   | what sounds in the bass (1 silence, 2 to 30), for |
    |                    |        |         | how many eighths; place in the bar (0 to 7);      |
    |                    |        |         | eighths left; mode (0 major, 1 minor); tonic of   |
    |                    |        |         | the original (0 to 11)                            |
    | progress_features  | (186,) | float32 | what the rules and the descriptor find in the     |
    |                    |        |         | bass so far, in [-4, 4], see                      |
    |                    |        |         | :mod:`.judging.progress_features`                 |

    ## Rewards
    0 until the work is finished, then the appraisal's ``reward``: ``quality`` alone by default
    (the rules of counterpoint), ``quality`` x ``novelty_reward`` with an archive (see
    :class:`move37.envs.base.appraisal.Appraisal`). Every term stands in ``info``.

    ## Starting State
    A brief of the pool, drawn at random, or ``reset(options={"brief": b})``:
    a brief as in :mod:`move37.envs.composition.moves`, or the 32 codes of a soprano in C major.

    ## Episode End
    The 32nd move: terminated. Never truncated.

    ## Arguments
    ``appraiser``: what appraises finished works (default: form alone, no torch needed). ``pool``:
    briefs (M, 67) to draw from (default: the training tunes of Bach's chorales; reading them with
    music21 takes half a minute the first time). ``render_mode``: ``"rgb_array"`` or None.
    ``render_size``: pixels, default 512.

    ## Version History
    * v0: first version.
    """

    make_simulator: ClassVar[type[CompositionSimulator]] = CompositionSimulator

    def __init__(
        self,
        appraiser: Appraiser | None = None,
        pool: NDArray[np.int16] | None = None,
        render_mode: str | None = None,
        render_size: int = 512,
    ) -> None:
        super().__init__(
            self.make_simulator(1, pool),
            appraiser or Appraisal(form_quality),
            _render,
            render_mode,
            render_size,
        )


class CompositionVectorEnv(WorldVectorEnv):
    """N boards of :class:`CompositionEnv` in one batch."""

    make_simulator: ClassVar[type[CompositionSimulator]] = CompositionSimulator

    def __init__(
        self,
        num_envs: int = 1,
        appraiser: Appraiser | None = None,
        pool: NDArray[np.int16] | None = None,
        render_mode: str | None = None,
        render_size: int = 256,
    ) -> None:
        super().__init__(
            self.make_simulator(num_envs, pool),
            appraiser or Appraisal(form_quality),
            _render,
            render_mode,
            render_size,
        )


class FreeEnv(CompositionEnv):
    """Write soprano and bass, an eighth note at a time.

    ## Description
    As :class:`CompositionEnv`, but no soprano is given: for each of the 32 eighths the soprano's
    move comes first, then the bass's. Given is the frame: the mode, the place in the bar, and where
    phrases end.

    ## Action Space
    ``Discrete(31)``: 0 HOLD, 1 REST, 2 to 30 begin a note: MIDI 56 (G sharp 3) to 84 (C6) in the
    soprano's turn, 36 (C2) to 64 (E4) in the bass's.

    ## Observation Space
    | key                | shape  | type    | values                                            |
    |--------------------|--------|---------|---------------------------------------------------|
    | recent             | (2, 8) | int16   | last eight moves of soprano and bass, newest      |
    |                    |        |         | first; 31 for none                                |
    | sounding           | (2, 8) | int16   | what sounded in these eighths: 1 silence, 2 to    |
    |                    |        |         | 30; 0 for none                                    |
    | fermatas           | (16,)  | uint8   | 1 under a fermata, from 4 eighths back to 11      |
    |                    |        |         | ahead                                             |
    | state              | (9,)   | int16   | what sounds in soprano and bass, for how many     |
    |                    |        |         | eighths each; place in the bar; eighths left;     |
    |                    |        |         | mode; tonic; turn (0 soprano, 1 bass)             |
    | progress_features  | (358,) | float32 | what the rules and the descriptor find in both    |
    |                    |        |         | voices so far                                     |

    ## Starting State
    A frame of the pool, drawn at random, or ``reset(options={"brief": b})``: mode, place, tonic
    and 32 fermata flags, (35,), or a brief (67,) whose soprano is 32 times HOLD.

    ## Episode End
    The 64th move: terminated. Never truncated.

    Rewards and arguments are those of :class:`CompositionEnv`; the rules of a melody are asked of
    the soprano too.

    ## Version History
    * v0: first version.
    """

    make_simulator = FreeSimulator


class FourEnv(CompositionEnv):
    """Write bass, tenor and alto to a given soprano, an eighth note at a time.

    ## Description
    As :class:`CompositionEnv`, in four parts: for each of the 32 eighths the bass's move comes
    first, then the tenor's, then the alto's.

    ## Action Space
    ``Discrete(31)``: 0 HOLD, 1 REST, 2 to 30 begin a note: MIDI 36 (C2) to 64 (E4) in the bass's
    turn, 45 (A2) to 73 (C sharp 5) in the tenor's, 50 (D3) to 78 (F sharp 5) in the alto's.

    ## Observation Space
    | key                | shape  | type    | values                                            |
    |--------------------|--------|---------|---------------------------------------------------|
    | soprano            | (16,)  | int16   | as in :class:`CompositionEnv`                     |
    | onsets             | (16,)  | uint8   | 1 where a soprano note begins                     |
    | fermatas           | (16,)  | uint8   | 1 where a soprano note with a fermata sounds      |
    | recent             | (3, 8) | int16   | last eight moves of bass, tenor, alto, newest     |
    |                    |        |         | first; 31 for none                                |
    | sounding           | (3, 8) | int16   | what sounded in these eighths: 1 silence, 2 to    |
    |                    |        |         | 30; 0 for none                                    |
    | state              | (11,)  | int16   | what sounds in bass, tenor, alto, for how many    |
    |                    |        |         | eighths each; place in the bar; eighths left;     |
    |                    |        |         | mode; tonic; turn (0 bass, 1 tenor, 2 alto)       |
    | progress_features  | (540,) | float32 | what the rules and the descriptor find in the     |
    |                    |        |         | voices so far                                     |

    ## Episode End
    The 96th move: terminated. Never truncated.

    Starting states, rewards and arguments are those of :class:`CompositionEnv`; the rules of
    harmony (:mod:`move37.envs.composition.rules.chords`) are asked too.

    ## Version History
    * v0: first version.
    """

    make_simulator = FourSimulator


class FourVectorEnv(CompositionVectorEnv):
    """N boards of :class:`FourEnv` in one batch."""

    make_simulator = FourSimulator


class FreeVectorEnv(CompositionVectorEnv):
    """N boards of :class:`FreeEnv` in one batch."""

    make_simulator = FreeSimulator
