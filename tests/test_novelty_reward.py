"""Novelty as a reward for any environment: the same in Gymnasium, its vectors, and SB3."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from benchmarks.maze import GOAL, PRIZE, START, Maze, moved, pyribs
from move37.envs import NoveltyReward, VectorNoveltyReward
from move37.envs.wrappers.novelty import info_of
from move37.envs.wrappers.sb3 import VecNoveltyReward
from move37.novelty import NoveltyArchive


class Walk(gymnasium.Env):
    """Steps to the left or right from 0; over after so many steps, each worth 0.5."""

    observation_space = spaces.Dict(
        {"at": spaces.Box(-99, 99, (1,), np.float32), "t": spaces.Discrete(9)}
    )
    action_space = spaces.Discrete(2)

    def __init__(self, longest=4, truncates=False):
        self.longest, self.truncates = longest, truncates

    def seen(self):
        return {"at": np.array([self.at], np.float32), "t": np.int64(self.t)}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.t = 0, 0
        return self.seen(), {}

    def step(self, action):
        self.at, self.t = self.at + 2 * int(action) - 1, self.t + 1
        over = self.t == self.longest
        info = {"at": float(self.at), "deep": {"t": self.t}}
        return self.seen(), 0.5, over and not self.truncates, over and self.truncates, info


def place(observation, info):
    """The descriptor: both the observation and the info are those of the last step."""
    assert observation["at"][0] == info["at"] and observation["t"] == info["deep"]["t"]
    return observation["at"]


def archive(**kwargs):
    return NoveltyArchive(1, k_neighbors=1, **kwargs)


def walked(env, *moves):
    env.reset()
    steps = [env.step(move) for move in moves]
    return [step[1] for step in steps], steps[-1][-1]


def test_the_reward_of_an_episode_is_its_distance_to_what_was_done():
    env = NoveltyReward(Walk(), archive(empty_novelty=7), descriptor=place, weight=2)
    rewards, info = walked(env, 1, 1, 1, 1)
    assert rewards == [0.5, 0.5, 0.5, 0.5 + 2 * 7]
    assert info["novelty"] == 7 and info["admitted"] and info["at"] == 4
    rewards, info = walked(env, 0, 0, 0, 0)
    assert rewards[-1] == 0.5 + 2 * 8 and info["admitted"]
    rewards, info = walked(env, 1, 1, 1, 1)
    assert rewards[-1] == 0.5 and info["novelty"] == 0 and not info["admitted"]
    assert env.archive.entries.tolist() == [[4], [-4]]


def test_novelty_may_replace_the_reward_and_a_truncated_episode_counts_too():
    env = NoveltyReward(Walk(truncates=True), archive(), descriptor=place, mix="replace", weight=3)
    assert walked(env, 1, 1, 1, 1)[0] == [0, 0, 0, 3]
    assert walked(env, 1, 0, 1, 0)[0] == [0, 0, 0, 3 * 4]


def test_by_default_the_last_observation_is_compared():
    env = NoveltyReward(Walk(), NoveltyArchive(spaces.flatdim(Walk.observation_space)))
    walked(env, 1, 1, 0, 1)
    assert env.archive.entries.tolist() == [[2, *np.eye(9)[4]]]
    with pytest.raises(ValueError, match=r"archive: expected dim 10.*got 3"):
        NoveltyReward(Walk(), NoveltyArchive(3))


def sequence(rng, n, steps):
    """Moves (steps, n)."""
    return rng.integers(0, 2, (steps, n))


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("mix", ["add", "replace"])
def test_a_vector_pays_what_single_environments_with_one_archive_do(mode, mix):
    n, lengths, rng = 3, (2, 3, 3), np.random.default_rng(0)
    base = SyncVectorEnv([lambda k=k: Walk(k) for k in lengths], autoreset_mode=mode)
    env = VectorNoveltyReward(base, archive(), descriptor=place, mix=mix, weight=2)
    one = archive()
    singles = [NoveltyReward(Walk(k), one, descriptor=place, mix=mix, weight=2) for k in lengths]
    env.reset(seed=0)
    for single in singles:
        single.reset()
    over, paid = np.zeros(n, np.bool_), 0
    for moves in sequence(rng, n, 40):
        if mode == AutoresetMode.DISABLED and over.any():
            env.reset(options={"reset_mask": over})
        _, rewards, terminated, _, infos = env.step(moves)
        for i, single in enumerate(singles):
            if over[i]:
                single.reset()
            if over[i] and mode == AutoresetMode.NEXT_STEP:  # that step was the reset
                assert rewards[i] == 0
                over[i] = False
                continue
            _, reward, over[i], _, info = single.step(moves[i])
            assert rewards[i] == reward and terminated[i] == over[i]
            if over[i]:
                paid += 1
                assert infos["novelty"][i] == info["novelty"]
                assert infos["admitted"][i] == info["admitted"]
                assert infos["_novelty"][i] and infos["_admitted"][i]
        if over.any():
            np.testing.assert_array_equal(infos["_novelty"], over)
            assert (infos["novelty"][~over] == 0).all()
        if mode == AutoresetMode.SAME_STEP:
            for single, done in zip(singles, over, strict=True):
                if done:
                    single.reset()
            over[:] = False
    assert paid > 20
    np.testing.assert_array_equal(env.archive.entries, one.entries)


def test_stable_baselines_pays_the_same_and_its_monitor_sees_it():
    n, lengths, rng = 3, (2, 3, 3), np.random.default_rng(0)
    base = DummyVecEnv([lambda k=k: Walk(k) for k in lengths])
    env = VecMonitor(VecNoveltyReward(base, archive(), descriptor=place, weight=2))
    vector = SyncVectorEnv(
        [lambda k=k: Walk(k) for k in lengths], autoreset_mode=AutoresetMode.SAME_STEP
    )
    other = VectorNoveltyReward(vector, archive(), descriptor=place, weight=2)
    env.reset()
    other.reset()
    for moves in sequence(rng, n, 40):
        _, rewards, dones, infos = env.step(moves)
        _, expected, terminated, _, said = other.step(moves)
        np.testing.assert_array_equal(rewards, expected.astype(np.float32))
        np.testing.assert_array_equal(dones, terminated)
        for i in np.flatnonzero(dones):
            assert infos[i]["novelty"] == said["novelty"][i]
            assert infos[i]["admitted"] == said["admitted"][i]
            assert infos[i]["episode"]["r"] == pytest.approx(
                0.5 * lengths[i] + 2 * infos[i]["novelty"], rel=1e-6
            )
    assert len(other.archive) > 2


def test_of_two_equal_episodes_in_one_step_one_is_new():
    base = SyncVectorEnv([Walk, Walk], autoreset_mode=AutoresetMode.SAME_STEP)
    env = VectorNoveltyReward(base, archive(), descriptor=place, mix="replace")
    env.reset()
    for _ in range(4):
        _, rewards, _, _, infos = env.step(np.array([1, 1]))
    assert rewards.tolist() == [1, 0] and infos["admitted"].tolist() == [True, False]


def test_it_goes_on_from_a_saved_archive_and_remembers_payloads(tmp_path):
    def payload(observation, info):
        return {"steps": observation["t"], "path": [info["at"], 1.0]}

    fields = {"steps": ((), np.int16), "path": ((2,), np.float32)}
    env = NoveltyReward(Walk(), archive(extra_fields=fields), descriptor=place, payload=payload)
    walked(env, 1, 1, 1, 1)
    walked(env, 0, 0, 0, 1)
    env.archive.save(tmp_path / "archive.npz")
    again = NoveltyReward(
        Walk(), NoveltyArchive.load(tmp_path / "archive.npz"), descriptor=place, payload=payload
    )
    for moves in ([0, 1, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0]):
        assert walked(env, *moves) == walked(again, *moves)
    assert data_equivalence(env.archive.data(), again.archive.data(), exact=True)
    assert again.archive.data(["steps"])["steps"].tolist() == [4, 4, 4, 4]
    assert again.archive.data()["path"][:2].tolist() == [[4, 1], [-2, 1]]


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"mix": "multiply"}, "mix: expected 'add' or 'replace', got 'multiply'"),
        ({"weight": np.nan}, "weight: expected a finite number"),
        ({"payload": lambda o, i: {}}, "payload: expected"),
        ({"descriptor": None}, "archive: expected dim 10"),
    ],
)
def test_settings_that_are_none_are_refused(kwargs, words):
    for env, wrapper in (
        (Walk(), NoveltyReward),
        (SyncVectorEnv([Walk]), VectorNoveltyReward),
        (DummyVecEnv([Walk]), VecNoveltyReward),
    ):
        with pytest.raises(ValueError, match=words):
            wrapper(env, archive(), **{"descriptor": place, **kwargs})
    with pytest.raises(ValueError, match="payload: expected"):
        NoveltyReward(Walk(), archive(extra_fields={"a": ((), int)}), descriptor=place)


def test_a_descriptor_that_is_none_is_refused():
    env = NoveltyReward(Walk(), archive(), descriptor=lambda o, i: [1.0, 2.0])
    with pytest.raises(ValueError, match=r"expected shape \(N, 1\), got \(1, 2\)"):
        walked(env, 1, 1, 1, 1)
    texts = gymnasium.Env()
    texts.observation_space = spaces.Sequence(spaces.Discrete(2))
    with pytest.raises(ValueError, match=r"descriptor: .* need one of your own"):
        NoveltyReward(texts, archive())


def test_a_vector_that_does_not_say_how_it_resets_is_refused():
    base = SyncVectorEnv([Walk])
    base.metadata = {}
    with pytest.raises(ValueError, match="autoreset_mode"):
        VectorNoveltyReward(base, archive(), descriptor=place)


def test_infos_of_one_environment():
    infos = {
        "a": np.array([1, 0]), "_a": np.array([True, False]), "all": np.array([5, 6]),
        "b": {"c": np.array([0, 4]), "_c": np.array([False, True])}, "_b": np.array([True, True]),
    }  # fmt: skip
    assert info_of(infos, 0) == {"a": 1, "all": 5, "b": {}}
    assert info_of(infos, 1) == {"all": 6, "b": {"c": 4}}


def test_a_world_of_this_package_may_be_wrapped():
    env = VectorNoveltyReward(
        gymnasium.make_vec("move37:Move37/DrawingFree-v0", 2),
        NoveltyArchive(576),
        descriptor=lambda observation, info: observation["ink"] > 0,
    )
    env.reset()
    _, _, _, _, infos = env.step(np.array([577, 30]))
    assert infos["_novelty"].tolist() == [True, False] and infos["novelty"][0] == 1
    assert "form" in info_of(infos["final_info"], 0)


# The maze of the benchmark


def through(*legs):
    """Rewards and the last step of a walk of legs (dx, dy, how many steps)."""
    env, rewards = Maze(), []
    env.reset()
    for dx, dy, n in legs:
        for _ in range(n):
            _, reward, terminated, truncated, info = env.step(np.array([dx, dy], np.float32))
            rewards.append(reward)
            if terminated or truncated:
                return rewards, terminated, info
    return rewards, False, info


def test_the_maze_is_a_trap_for_who_comes_nearer_and_has_a_way_around():
    check_env(Maze(), skip_render_check=True)
    rewards, arrived, info = through((1, 0, 60))
    assert not arrived and info["end"] == pytest.approx((0.6, 0.5), abs=0.002)
    assert sum(rewards) == pytest.approx(0.15, abs=0.002)
    around = ((-1, 0, 4), (0, 1, 5), (1, 0, 8), (1, -1, 9))
    rewards, arrived, info = through(*around)
    assert arrived and np.hypot(*np.subtract(info["end"], GOAL)) < 0.08
    assert rewards[0] < 0 and rewards[-1] > PRIZE
    assert sum(rewards) == pytest.approx(
        PRIZE + np.subtract(GOAL, START)[0] - np.hypot(*np.subtract(info["end"], GOAL))
    )


def test_walls_stop_from_either_side_and_only_where_they_are():
    wall = [(0.5, 0.2, 0.8)]
    assert moved(0.49, 0.05, wall, 0.5) == pytest.approx(0.499)
    assert moved(0.51, -0.05, wall, 0.5) == pytest.approx(0.501)
    assert moved(0.49, 0.05, wall, 0.9) == pytest.approx(0.54)
    assert moved(0.98, 0.05, wall, 0.5) == 1


def test_pyribs_walks_equally_many_steps():
    ends = pyribs(3000, 0)
    assert 3000 <= ends[-1, 0] < 3000 + 90 * 60 and len(ends) % 90 == 0
    assert len(np.unique(ends[:, 1:3], axis=0)) > 20
    np.testing.assert_array_equal(pyribs(3000, 0), ends)
