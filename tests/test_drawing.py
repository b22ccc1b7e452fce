"""The drawing world's dynamics and its views: fast core against a slow oracle, checkers, parity."""

import subprocess
import sys
from itertools import pairwise

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_sb3

from move37.envs.base.appraisal import Appraisal
from move37.envs.base.batch import WorldBatch
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.drawing.dynamics import DrawingSimulator, images_of, pictures_of
from move37.envs.drawing.moves import END, LIFT, MAX_MOVES, N_MOVES, moves_of, strokes_of
from move37.envs.drawing.rules.form import form_quality


def random_actions(rng, t, n):
    actions = rng.integers(0, N_MOVES, (t, n))
    actions[rng.random((t, n)) < 0.15] = LIFT
    actions[rng.random((t, n)) < 0.05] = END
    return actions


def oracle_segment(a, b):
    """Cells of a segment by the definition: nearest cell of each of the evenly spaced points."""
    a, b = min(a, b), max(a, b)
    (x, y), (u, v) = (a % 24, a // 24), (b % 24, b // 24)
    n = max(abs(u - x), abs(v - y))
    if n == 0:
        return {a}
    from fractions import Fraction
    from math import floor

    half = Fraction(1, 2)
    return {
        floor(y + Fraction(i * (v - y), n) + half) * 24 + floor(x + Fraction(i * (u - x), n) + half)
        for i in range(n + 1)
    }


def oracle_image(moves):
    ink = np.zeros(576, np.uint8)
    for stroke in strokes_of(moves):
        codes = stroke[:, 1] * 24 + stroke[:, 0]
        for a, b in pairwise(codes):
            ink[list(oracle_segment(int(a), int(b)))] = 1
    return ink.reshape(24, 24)


def test_ink_equals_the_oracle():
    rng = np.random.default_rng(0)
    for actions in random_actions(rng, 200, MAX_MOVES):
        np.testing.assert_array_equal(
            images_of(actions[None].astype(np.int16))[0], oracle_image(actions)
        )


def test_moves_and_strokes_are_inverse():
    strokes = [np.array([[1, 2], [3, 4]]), np.array([[5, 5], [5, 5]]), np.array([[0, 23], [23, 0]])]
    again = strokes_of(moves_of(strokes))
    assert all(np.array_equal(a, b) for a, b in zip(strokes, again, strict=True))


def test_a_point_after_lift_draws_nothing_and_the_same_point_twice_is_a_dot():
    assert images_of(np.array([[5, LIFT, 70, END]], np.int16)).sum() == 0
    assert images_of(np.array([[5, 5, END]], np.int16)).sum() == 1


@pytest.mark.parametrize("action", [-1, N_MOVES])
def test_a_wrong_move_is_refused(action):
    env = gymnasium.make("Move37/DrawingFree-v0").unwrapped
    env.reset()
    with pytest.raises(ValueError, match="is no move"):
        env.step(action)


def test_a_finished_work_must_be_reset():
    env = gymnasium.make("Move37/DrawingFree-v0").unwrapped
    env.reset()
    env.step(END)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(0)


def test_the_work_is_terminated_at_the_48th_move_and_never_truncated():
    env = gymnasium.make("Move37/DrawingFree-v0")
    env.reset()
    for t in range(MAX_MOVES):
        _, reward, terminated, truncated, info = env.step(t)
        assert terminated == (t == MAX_MOVES - 1)
        assert not truncated
        assert ("reward" in info) == terminated
        assert (reward != 0) <= terminated


@pytest.mark.filterwarnings("error")
def test_both_checkers_pass_without_warnings():
    env = gymnasium.make("Move37/DrawingFree-v0", render_mode="rgb_array", render_size=64)
    check_env(env.unwrapped, skip_render_check=True)
    check_sb3(env.unwrapped)


def test_single_environments_vector_and_sb3_are_bit_equal():
    n = 5
    actions = random_actions(np.random.default_rng(1), 150, n)
    singles = [gymnasium.make("Move37/DrawingFree-v0").unwrapped for _ in range(n)]
    vector = gymnasium.make_vec("Move37/DrawingFree-v0", num_envs=n)
    sb3 = WorldVecEnv(WorldBatch(DrawingSimulator(n), Appraisal(form_quality)))
    first, _ = vector.reset(seed=0)
    single = [env.reset(seed=0)[0] for env in singles]
    for key, value in sb3.reset().items():
        np.testing.assert_array_equal(value, first[key])
    finished = 0
    for row in actions:
        obs, rewards, terminated, truncated, infos = vector.step(row)
        sb3_obs, sb3_rewards, dones, sb3_infos = sb3.step(row)
        assert not truncated.any()
        np.testing.assert_array_equal(dones, terminated)
        for i, env in enumerate(singles):
            single[i], reward, done, _, info = env.step(row[i])
            assert reward == rewards[i] == sb3_rewards[i]
            assert done == terminated[i]
            if done:
                finished += 1
                for key, value in single[i].items():
                    np.testing.assert_array_equal(value, infos["final_obs"][i][key])
                    np.testing.assert_array_equal(value, sb3_infos[i]["terminal_observation"][key])
                for key, value in info.items():
                    assert value == infos["final_info"][key][i] == sb3_infos[i][key]
                single[i], _ = env.reset()
            for key, value in single[i].items():
                np.testing.assert_array_equal(value, obs[key][i])
                np.testing.assert_array_equal(value, sb3_obs[key][i])
    assert finished > n


def test_observations_are_copies():
    env = gymnasium.make("Move37/DrawingFree-v0").unwrapped
    first, _ = env.reset()
    env.step(0)
    second = env.step(23)[0]
    assert first["ink"].sum() == 0 and second["ink"].sum() == 24


def test_a_brief_is_on_the_board_and_counts_as_given():
    env = gymnasium.make("Move37/DrawingFree-v0").unwrapped
    obs, _ = env.reset(options={"brief": [np.array([[0, 0], [23, 0]])]})
    assert (obs["ink"][:24] == 2).all() and obs["ink"].sum() == 48
    assert obs["pen"].tolist() == [0, 576, 576, 48]
    moves, _ = env.reset(options={"brief": [0, 23]})
    np.testing.assert_array_equal(moves["ink"], obs["ink"])
    assert env.reset()[0]["ink"].sum() == 0
    with pytest.raises(ValueError, match="leaves the 24 x 24 board"):
        env.reset(options={"brief": [np.array([[0, 24], [1, 1]])]})


def test_users_objects_replace_quality_and_newness():
    def quality(works):
        return {"quality": pictures_of(works).sum((1, 2)) / 10.0}

    def novelty_reward(works):
        return {"novelty_reward": np.full(len(works), 3.0)}

    env = gymnasium.make(
        "Move37/DrawingFree-v0", appraiser=Appraisal(quality, novelty_reward)
    ).unwrapped
    env.reset()
    for action in (0, 9):
        env.step(action)
    _, reward, _, _, info = env.step(END)
    assert reward == pytest.approx(3.0)
    assert info["quality"] == pytest.approx(1.0) and info["novelty_reward"] == 3.0


def test_a_reward_that_is_not_finite_is_refused():
    def quality(works):
        return {"quality": np.full(len(works), np.nan)}

    env = gymnasium.make("Move37/DrawingFree-v0", appraiser=Appraisal(quality)).unwrapped
    env.reset()
    with pytest.raises(ValueError, match="not finite"):
        env.step(END)


def test_rendering_gives_a_picture():
    env = gymnasium.make("Move37/DrawingFree-v0", render_mode="rgb_array").unwrapped
    env.reset()
    for action in (24 * 12 + 3, 24 * 12 + 20):
        env.step(action)
    picture = env.render()
    assert picture.shape == (512, 512, 3) and picture.dtype == np.uint8
    assert picture[266, 200].max() < 120 < picture[60, 60].min()


def test_the_environment_needs_no_torch():
    code = (
        "import sys, envs, gymnasium\n"
        "env = gymnasium.make('Move37/DrawingFree-v0').unwrapped\n"
        "env.reset(); env.step(577)\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
