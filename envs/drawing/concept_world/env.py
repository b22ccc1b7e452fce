"""The environment of drawing named things: `Move37/Drawing-v1`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from move37.envs.base.appraisal import Appraisal, Appraiser
from move37.envs.base.gym_views import WorldEnv, WorldVectorEnv
from move37.envs.drawing.concept_world.boards import ConceptSimulator
from move37.envs.drawing.env import render_board
from move37.envs.drawing.rules.form import form_quality


class ConceptEnv(WorldEnv):
    """Draw a named thing with a pen on a board of 24 x 24 points, as no human drew it.

    ## Description
    As :class:`move37.envs.drawing.env.DrawingEnv`, but each work answers a brief: a concept, given
    by one human's drawing of it, the exemplar. This thing, but not this drawing.

    ## Action Space
    ``Discrete(578)``: 0 to 575 is the point ``y * 24 + x`` ((0, 0) is top left), 576 LIFT, 577 END.
    A point sets a lifted pen down; with the pen down it draws a straight segment there (to the same
    point: a dot). LIFT of a lifted pen does nothing but use up the move.

    ## Observation Space
    | key      | shape  | type  | values                                                        |
    |----------|--------|-------|---------------------------------------------------------------|
    | ink      | (576,) | uint8 | 0 empty, 1 drawn, 2 was there at the beginning                |
    | recent   | (6,)   | int16 | last six moves, newest first; 578 for none                    |
    | pen      | (4,)   | int16 | down (0 or 1); its point; its stroke's first point (576 while |
    |          |        |       | lifted); moves left                                           |
    | exemplar | (576,) | uint8 | 1 where the human drawing has ink                             |

    ## Rewards
    0 until the work is finished, then the appraisal's ``reward``: form alone by default; what a
    learner of ``move37 train`` gets is :class:`.reward.MeaningReward`. Every term stands in
    ``info``.

    ## Starting State
    An empty board and a brief of the pool, drawn at random, or ``reset(options={"brief": b})``:
    strokes, each (P, 2) of x and y: the exemplar; or a dictionary with some of ``concept`` (its
    name), ``exemplar`` and ``kept``, strokes that are on the board already.

    ## Episode End
    END, or the 48th move: terminated. Never truncated.

    ## Arguments
    ``appraiser``: what appraises finished works (default: form alone, no torch needed). ``pool``:
    briefs (M, 98) to draw from, see :mod:`.briefs` (default: drawings of 147 concepts by eight
    designers; reading them takes half a minute the first time). ``render_mode``: ``"rgb_array"`` or
    None. ``render_size``: pixels, default 512.

    ## Version History
    * v1: briefs have a meaning. Version 0, without a concept, goes on as DrawingFree-v0.
    """

    def __init__(
        self,
        appraiser: Appraiser | None = None,
        pool: NDArray[np.int16] | None = None,
        render_mode: str | None = None,
        render_size: int = 512,
    ) -> None:
        super().__init__(
            ConceptSimulator(1, pool),
            appraiser or Appraisal(form_quality),
            render_board,
            render_mode,
            render_size,
        )


class ConceptVectorEnv(WorldVectorEnv):
    """N boards of :class:`ConceptEnv` in one compiled batch."""

    def __init__(
        self,
        num_envs: int = 1,
        appraiser: Appraiser | None = None,
        pool: NDArray[np.int16] | None = None,
        render_mode: str | None = None,
        render_size: int = 256,
    ) -> None:
        simulator = ConceptSimulator(num_envs, pool)
        appraiser = appraiser or Appraisal(form_quality)
        super().__init__(simulator, appraiser, render_board, render_mode, render_size)
