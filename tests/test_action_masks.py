"""Action masks: every move of every environment is legal, and MaskablePPO is told so."""

import gymnasium
import numpy as np
import pytest
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported

from move37.envs.base.appraisal import Appraisal
from move37.envs.base.batch import WorldBatch
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.drawing.dynamics import DrawingSimulator

ENVIRONMENTS = (
    "DrawingFree-v0",
    "Drawing-v1",
    "Composition-v0",
    "CompositionFree-v0",
    "CompositionFour-v0",
)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_move_is_legal_at_any_time(name):
    env = gymnasium.make(f"move37:Move37/{name}")
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    for action in rng.permutation(env.action_space.n):
        mask = get_action_masks(env)
        assert mask.shape == (env.action_space.n,) and mask.all()
        if env.step(action)[2]:  # an illegal move would raise an error
            env.reset(seed=int(action))


def vec_env(n):
    quality = Appraisal(lambda works: {"quality": works.lengths / 48})
    return WorldVecEnv(WorldBatch(DrawingSimulator(n), quality))


@pytest.mark.parametrize("make", [lambda: gymnasium.make("move37:Move37/DrawingFree-v0"),
                                  lambda: vec_env(3)])  # fmt: skip
def test_maskable_ppo_learns(make):
    env = make()
    assert is_masking_supported(env)
    model = MaskablePPO("MultiInputPolicy", env, n_steps=16, batch_size=16, n_epochs=1, seed=0)
    model.learn(16)
    n = model.n_envs
    assert get_action_masks(model.get_env()).shape == (n, 578)
    assert (model.rollout_buffer.action_masks == 1).all()
