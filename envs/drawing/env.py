"""The drawing world's environments: `Move37/DrawingFree-v0`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.appraisal import Appraisal, Appraiser
from move37.envs.base.gym_views import WorldEnv, WorldVectorEnv
from move37.envs.base.simulator import Simulator
from move37.envs.drawing.dynamics import DrawingSimulator
from move37.envs.drawing.rules.form import form_quality
from move37.envs.drawing.view.render import picture


def render_board(simulator: Simulator, i: int, size: int) -> NDArray[np.uint8]:
    """What ``render`` shows of board i: what is drawn, the given strokes, and the pen."""
    assert isinstance(simulator, DrawingSimulator)
    brief = simulator.briefs[i]
    given = brief if (brief >= 0).any() else None
    return picture(simulator.moves[i], size, brief=given, pen=True)


class DrawingEnv(WorldEnv):
    """Draw with a pen on a board of 24 x 24 points.

    ## Description
    The agent makes a line drawing, move by move, as a game record is made: it sets the pen down,
    draws straight segments, lifts the pen, and says when the work is finished.

    ## Action Space
    ``Discrete(578)``: 0 to 575 is the point ``y * 24 + x`` ((0, 0) is top left), 576 LIFT, 577 END.
    A point sets a lifted pen down; with the pen down it draws a straight segment there (to the same
    point: a dot). LIFT of a lifted pen does nothing but use up the move.

    ## Observation Space
    | key    | shape  | type  | values                                                          |
    |--------|--------|-------|-----------------------------------------------------------------|
    | ink    | (576,) | uint8 | 0 empty, 1 drawn, 2 given by the brief                          |
    | recent | (6,)   | int16 | last six moves, newest first; 578 for none                      |
    | pen    | (4,)   | int16 | down (0 or 1); its point; its stroke's first point (576 while    |
    |        |        |       | lifted); moves left                                             |

    ## Rewards
    0 until the work is finished, then the appraisal's ``reward``: ``quality`` alone by default,
    ``quality`` x ``novelty_reward`` with an archive (see :class:`Appraisal`). Every
    term stands in ``info``.

    ## Starting State
    An empty board, or ``reset(options={"brief": strokes})``: moves, or a list of strokes, each
    (P, 2) of x and y.

    ## Episode End
    END, or the 48th move: terminated. Never truncated.

    ## Arguments
    ``appraiser``: what appraises finished works (default: form alone, no torch needed).
    ``render_mode``: ``"rgb_array"`` or None. ``render_size``: pixels, default 512.

    ## Version History
    * v0: first version.
    """

    def __init__(
        self,
        appraiser: Appraiser | None = None,
        render_mode: str | None = None,
        render_size: int = 512,
    ) -> None:
        super().__init__(
            DrawingSimulator(1),
            appraiser or Appraisal(form_quality),
            render_board,
            render_mode,
            render_size,
        )


class DrawingVectorEnv(WorldVectorEnv):
    """N boards of :class:`DrawingEnv` in one compiled batch."""

    def __init__(
        self,
        num_envs: int = 1,
        appraiser: Appraiser | None = None,
        render_mode: str | None = None,
        render_size: int = 256,
    ) -> None:
        simulator = DrawingSimulator(num_envs)
        appraiser = appraiser or Appraisal(form_quality)
        super().__init__(simulator, appraiser, render_board, render_mode, render_size)
