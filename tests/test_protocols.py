"""Gymnasium's and Stable-Baselines3's protocols: every option is obeyed or refused.

The vector environments are compared with what Gymnasium's ``SyncVectorEnv`` and SB3's
``DummyVecEnv`` make of single environments, number by number.
"""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from stable_baselines3 import A2C
from stable_baselines3.common.env_checker import check_env as check_sb3
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecCheckNan, VecMonitor

from move37.envs.base.appraisal import Appraisal
from move37.envs.base.batch import WorldBatch
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.composition.briefs import frames_of
from move37.envs.composition.dynamics import CompositionSimulator, FourSimulator, FreeSimulator
from move37.envs.composition.moves import BRIEF, EIGHTHS, FERMATA, SOPRANO
from move37.envs.composition.rules.form import form_quality as composition_form
from move37.envs.drawing.concept_world.boards import ConceptSimulator
from move37.envs.drawing.concept_world.briefs import make_briefs
from move37.envs.drawing.dynamics import DrawingSimulator
from move37.envs.drawing.rules.form import form_quality as drawing_form

N = 4
RNG = np.random.default_rng(0)
POOL = np.zeros((40, BRIEF), np.int16)
POOL[:, SOPRANO:FERMATA] = RNG.integers(0, 29, (40, EIGHTHS))
POOL[:, 2] = np.arange(40) % 12
POOL[:, FERMATA:] = RNG.integers(0, 2, (40, EIGHTHS))


class Kind:
    """One of the worlds: how its environments are made, and briefs for it."""

    def __init__(self, name, simulator, form, pool, briefs):
        self.id, self.simulator, self.form = f"Move37/{name}", simulator, form
        self.kwargs = {} if pool is None else {"pool": pool}
        self.pool, self.briefs = pool, briefs

    def single(self, **kwargs):
        return gymnasium.make(self.id, **self.kwargs, **kwargs)

    def vector(self, n=N, **kwargs):
        return gymnasium.make_vec(self.id, n, **self.kwargs, **kwargs)

    def sync(self, n=N, **kwargs):
        """What Gymnasium itself makes of single environments."""
        made = [lambda: self.single(**kwargs)] * n
        return SyncVectorEnv(made, autoreset_mode=AutoresetMode.SAME_STEP)

    def sb3(self, n=N, seed=0):
        more = [] if self.pool is None else [self.pool, seed]
        return WorldVecEnv(WorldBatch(self.simulator(n, *more), Appraisal(self.form)))

    def dummy(self, n=N):
        return DummyVecEnv([lambda: Monitor(self.single())] * n)

    def actions(self, rng, n=N):
        moves = rng.integers(0, self.simulator.n_actions, n)
        end = self.simulator.end_move
        return moves if end is None else np.where(rng.random(n) < 0.05, end, moves)


FRAMES = frames_of(POOL)
CONCEPTS = make_briefs(
    np.arange(40) % 30, np.random.default_rng(0).integers(0, 576, (40, 9)).astype(np.int16)
)
KINDS = {
    "drawing": Kind(
        "DrawingFree-v0",
        DrawingSimulator,
        drawing_form,
        None,
        [[0, 23], [[(1, 2), (3, 4)]], [577 - 1, 5]],
    ),
    "concepts": Kind("Drawing-v1", ConceptSimulator, drawing_form, CONCEPTS, CONCEPTS[7:10]),
    "composition": Kind("Composition-v0", CompositionSimulator, composition_form, POOL, POOL[7:10]),
    "free": Kind("CompositionFree-v0", FreeSimulator, composition_form, FRAMES, FRAMES[7:10]),
    "four": Kind("CompositionFour-v0", FourSimulator, composition_form, POOL, POOL[7:10]),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture(params=[name for name in KINDS if name != "drawing"])
def dealt(request):
    """A world that lays briefs before its boards."""
    return KINDS[request.param]


def same(left, right):
    assert data_equivalence(left, right, exact=True), (left, right)


def differ(left, right):
    assert not data_equivalence(left, right, exact=True)


def stacked(rows):
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


# Gymnasium


@pytest.mark.filterwarnings("error", "ignore:.*unconventional shape")
def test_both_checkers_pass(kind):
    check_env(kind.single(render_mode="rgb_array", render_size=48).unwrapped)
    check_sb3(kind.single().unwrapped)


def test_a_vector_environment_is_the_one_that_gymnasium_makes_of_single_ones(kind):
    ours, theirs = kind.vector(), kind.sync()
    for name in (
        "single_observation_space", "observation_space", "single_action_space", "action_space",
        "num_envs", "metadata", "render_mode",
    ):  # fmt: skip
        assert getattr(ours, name) == getattr(theirs, name), name
    rng, finished = np.random.default_rng(1), 0
    for seed, options in (
        (7, None), ([5, 3, None, 2**40], {"brief": kind.briefs[0]}), (None, {}), (np.arange(N), {})
    ):  # fmt: skip
        known = seed is None or isinstance(seed, int)  # SyncVectorEnv takes lists of Python's int
        asked = seed if known else [None if s is None else int(s) for s in seed]
        if seed is None or (not known and None in asked):
            for env in (ours, theirs):  # from the same state of every generator
                env.reset(seed=11)
        same(ours.reset(seed=seed, options=options), theirs.reset(seed=asked, options=options))
        for _ in range(ours.batch.simulator.max_moves + 3):
            actions = kind.actions(rng)
            left, right = ours.step(actions), theirs.step(actions)
            same(left, right)
            finished += left[2].sum()
    assert finished >= 4 * N
    assert ours.np_random_seed == tuple(theirs.np_random_seed) == tuple(range(N))
    same([g.integers(99) for g in ours.np_random], [g.integers(99) for g in theirs.np_random])


@pytest.mark.parametrize("cast", [list, tuple, np.array, lambda s: [np.int64(one) for one in s]])
def test_a_list_of_seeds_is_obeyed_again_and_again(kind, cast):
    seeds = [1, 2, 3, 40]
    env = kind.vector()
    first, _ = env.reset(seed=cast(seeds))
    env.reset()
    again, _ = env.reset(seed=cast(seeds))
    same(first, again)
    same(first, stacked([kind.single().reset(seed=seed)[0] for seed in seeds]))
    same(kind.single().reset(seed=np.int64(3))[0], kind.single().reset(seed=3)[0])
    same(env.reset(seed=np.int32(3)), env.reset(seed=[3, 4, 5, 6]))


def test_seeds_choose_the_brief_and_a_board_without_one_goes_on(dealt):
    env = dealt.vector()
    first, _ = env.reset(seed=[1, 2, 3, 4])
    briefs = [env.batch.simulator.briefs.copy()]
    for _ in range(3):
        env.reset()
        briefs.append(env.batch.simulator.briefs.copy())
    env.reset(seed=[1, None, 3, None])
    now = env.batch.simulator.briefs
    np.testing.assert_array_equal(now[[0, 2]], briefs[0][[0, 2]])
    assert len(np.unique(np.concatenate(briefs), axis=0)) > N
    differ(first, env.reset(seed=[5, 6, 7, 8])[0])


@pytest.mark.parametrize(
    ("seed", "error", "words"),
    [
        ([1, 2, 3], ValueError, "expected 4 seeds, one for each board, got 3"),
        ([], ValueError, "expected 4 seeds"),
        ([1, 2, 3, -4], ValueError, "at least 0, got -4"),
        ([1, 2, 3.5, 4], TypeError, "a whole number or None, got 3.5"),
        ("1234", TypeError, "whole number"),
        (1.0, TypeError, "whole number or None, got 1.0"),
        (-1, ValueError, "at least 0, got -1"),
    ],
)
def test_seeds_that_are_none_are_refused_and_nothing_changes(seed, error, words):
    env = KINDS["composition"].vector()
    env.reset(seed=1)
    before = env.batch.observations(), [g.bit_generator.state for g in env.np_random]
    with pytest.raises(error, match=f"seed: .*{words}"):
        env.reset(seed=seed)
    same((env.batch.observations(), [g.bit_generator.state for g in env.np_random]), before)
    if not isinstance(seed, list):
        with pytest.raises(error, match=words):
            KINDS["composition"].single().reset(seed=seed)


def test_a_mask_resets_the_boards_that_it_names(kind):
    ours, theirs = kind.vector(), kind.sync()
    rng, mask = np.random.default_rng(2), np.array([True, False, False, True])
    for env in (ours, theirs):
        env.reset(seed=3)
    for _ in range(3):
        actions = rng.integers(0, 20, N)
        ours.step(actions), theirs.step(actions)
    kept = ours.batch.simulator.moves[1].copy()
    options = {"reset_mask": mask, "brief": kind.briefs[1]}
    same(
        ours.reset(seed=[9, 8, 7, 6], options=options),
        theirs.reset(seed=[9, 8, 7, 6], options=dict(options)),
    )
    assert set(options) == {"reset_mask", "brief"}
    np.testing.assert_array_equal(ours.batch.simulator.moves[1], kept)
    assert ours.batch.simulator.counts.tolist() == [0, 3, 3, 0]
    for _ in range(ours.batch.simulator.max_moves + 5):
        actions = kind.actions(rng)
        same(ours.step(actions), theirs.step(actions))


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        ([True] * N, TypeError),
        (np.ones(N, np.int8), TypeError),
        (np.ones(N + 1, np.bool_), ValueError),
        (np.ones((N, 1), np.bool_), ValueError),
        (np.zeros(N, np.bool_), ValueError),
    ],
)
def test_masks_are_refused_by_gymnasiums_rule(mask, error):
    for env in (KINDS["drawing"].vector(), KINDS["drawing"].sync()):
        with pytest.raises(error, match="reset_mask"):
            env.reset(options={"reset_mask": mask})


def test_a_mask_is_not_enough_to_begin_with():
    env = KINDS["drawing"].vector()
    env.reset(options={"reset_mask": np.array([True, False, True, True])})
    with pytest.raises(ResetNeeded, match="reset"):
        env.step(np.zeros(N, np.int64))


def test_each_board_may_have_a_brief_of_its_own(kind):
    env = kind.vector()
    briefs = [kind.briefs[0], None, kind.briefs[1], kind.briefs[2]]
    seen, _ = env.reset(seed=4, options={"briefs": briefs})
    alone = [
        kind.single().reset(seed=4 + i, options={} if brief is None else {"brief": brief})[0]
        for i, brief in enumerate(briefs)
    ]
    same(seen, stacked(alone))
    # Options are for one reset: the next work answers what the world lays before it.
    same(env.reset(seed=4)[0], stacked([kind.single().reset(seed=4 + i)[0] for i in range(N)]))


@pytest.mark.parametrize("options", [{"breif": [1]}, {"brief": [1], "seed": 3}, {"mask": 1}])
def test_unknown_options_are_refused_with_the_known_ones(kind, options):
    (name,) = set(options) - {"brief"}
    for env, known in ((kind.single(), "brief"), (kind.vector(), "brief, briefs, reset_mask")):
        with pytest.raises(ValueError, match=f"options: '{name}' is unknown; known: {known}$"):
            env.reset(options=options)
    with pytest.raises(ValueError, match=f"'{name}' is unknown; known: brief$"):
        kind.sb3().set_options(options)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"brief": [1], "briefs": [[1]] * N}, ValueError, "got both"),
        ({"briefs": [[1]] * 3}, ValueError, "expected 4 briefs"),
        ({"briefs": 7}, ValueError, "expected 4 briefs"),
        ({"brief": 7}, TypeError, "expected moves, got int"),
        ({"brief": [0, 1.5]}, ValueError, "whole numbers"),
        ({"brief": [[(0, 0), (3, np.nan)]]}, ValueError, "whole numbers"),
        ([1], TypeError, "expected a dictionary, got list"),
    ],
)
def test_options_of_another_kind_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        KINDS["drawing"].vector().reset(options=options)


@pytest.mark.parametrize("name", ["drawing", "composition"])
@pytest.mark.parametrize(
    "brief",
    [
        [0.5] * 32,
        [True] * 32,
        [np.inf] * 32,
        [2**64 - 1] * 32,
        np.full(32, 1j),
        np.ma.array([1] * 32, mask=[True] * 32),
        [None] * 32,
        "ab",
        {"soprano": 1},
    ],
)
def test_no_brief_is_rounded_or_guessed(name, brief):
    with pytest.raises(ValueError, match="brief: expected whole numbers"):
        KINDS[name].single().reset(options={"brief": brief})


def test_sb3_takes_what_make_vec_makes(kind):
    ours, theirs = WorldVecEnv(kind.vector(render_mode="rgb_array")), kind.dummy()
    for env in (ours, theirs):
        env.seed(5)
    for _ in range(2):
        same(dict(ours.reset()), dict(theirs.reset()))
    assert [picture.shape for picture in ours.get_images()] == [(256, 256, 3)] * N
    with pytest.raises(TypeError, match="without wrappers, got SyncVectorEnv"):
        WorldVecEnv(kind.sync())


def test_attributes_are_those_of_the_boards(kind):
    ours, theirs = kind.vector(), kind.sync()
    for env in (ours, theirs):
        env.reset(seed=5)
        assert env.get_attr("np_random_seed") == (5, 6, 7, 8)
        env.set_attr("colour", ["red", "green", "blue", "grey"])
        assert env.get_attr("colour") == env.call("colour") == ("red", "green", "blue", "grey")
        env.set_attr("colour", "black")
        assert env.get_attr("colour") == ("black",) * N
        with pytest.raises(ValueError, match=r"3|values"):
            env.set_attr("colour", ["red"] * 3)
        with pytest.raises(AttributeError):
            env.get_attr("no_such_thing")
    same(ours.call("reset", seed=3), theirs.call("reset", seed=3))
    same(ours.call("step", 2), theirs.call("step", 2))


@pytest.mark.filterwarnings("ignore:.*render_mode='ansi'")
def test_pictures_are_those_of_single_environments(kind):
    ours, theirs = (
        make(render_mode="rgb_array", render_size=64) for make in (kind.vector, kind.sync)
    )
    for env in (ours, theirs):
        env.reset(seed=5)
        for action in (30, 20, 10):
            env.step(np.full(N, action))
    same(ours.render(), theirs.render())
    assert kind.vector().render() is None
    with pytest.raises(ValueError, match=r"render_mode: 'human' is unknown; use 'rgb_array'"):
        kind.vector(render_mode="human")
    with pytest.raises(ValueError, match=r"render_mode: 'ansi' is unknown; use 'rgb_array'"):
        kind.single(render_mode="ansi")


def test_the_order_of_calls_is_enforced(kind):
    env, move = kind.vector(), np.ones(N, np.int64)
    with pytest.raises(ResetNeeded):
        env.step(move)
    env.reset()
    env.step(move)
    env.close()
    env.close()
    for call in (lambda: env.step(move), env.reset):
        with pytest.raises(ClosedEnvironmentError):
            call()


@pytest.mark.parametrize(
    "kwargs", [{"pen": 3}, {"autoreset_mode": AutoresetMode.NEXT_STEP}, {"vector_kwargs": {"a": 1}}]
)
def test_unknown_arguments_are_refused(kind, kwargs):
    with pytest.raises((TypeError, gymnasium.error.Error), match=next(iter(kwargs))):
        kind.vector(**kwargs)


def test_a_batch_has_at_least_one_board(kind):
    with pytest.raises(ValueError, match="num_envs: expected at least 1, got 0"):
        kind.vector(0)


@pytest.mark.parametrize("actions", [np.full(N, 1.5), np.ones(N), np.array([1, 2, -1, 3])])
def test_moves_that_are_none_are_refused_everywhere(kind, actions):
    single, vector, sb3 = kind.single().unwrapped, kind.vector(), kind.sb3()
    for env in (single, vector, sb3):
        env.reset()
    with pytest.raises(ValueError, match="actions"):
        vector.step(actions)
    with pytest.raises(ValueError, match="actions"):
        sb3.step(actions)
    with pytest.raises(ValueError, match="actions"):
        single.step(actions[2])
    with pytest.raises(ValueError, match=r"actions: expected shape \(1,\), got \(1, 2\)"):
        single.step(np.array([1, 2]))


def test_wrappers_of_gymnasium_work(kind):
    env = RecordEpisodeStatistics(kind.vector())
    env.reset(seed=0)
    rng, returns = np.random.default_rng(0), 0
    for _ in range(env.unwrapped.batch.simulator.max_moves + 1):
        _, rewards, terminated, _, infos = env.step(kind.actions(rng))
        if terminated.any():
            returns += 1
            np.testing.assert_allclose(infos["episode"]["r"][terminated], rewards[terminated])
    assert returns
    short = TimeLimit(kind.single(), 3)
    short.reset()
    assert [short.step(1)[3] for _ in range(3)] == [False, False, True]


# Stable-Baselines3


def same_as_dummy(left, right):
    """Two steps of VecEnvs; times differ, and Monitor rounds the return."""
    same(dict(left[0]), dict(right[0]))
    same(left[1:3], right[1:3])
    for ours, theirs in zip(left[3], right[3], strict=True):
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            if key == "episode":
                assert ours[key]["l"] == value["l"]
                assert ours[key]["r"] == pytest.approx(value["r"], abs=1e-6)
            else:
                same(ours[key], value)


def play_alike(kind, ours, theirs, rounds):
    rng, finished = np.random.default_rng(6), 0
    for _ in range(rounds):
        actions = kind.actions(rng)
        left, right = ours.step(actions), theirs.step(actions)
        same_as_dummy(left, right)
        same(ours.reset_infos, theirs.reset_infos)
        finished += left[2].sum()
    assert finished >= N


def test_an_sb3_environment_is_what_dummy_vec_env_makes_of_single_ones(kind):
    ours, theirs = kind.sb3(), kind.dummy()
    longest = kind.simulator.max_moves
    for env in (ours, theirs):
        assert list(env.seed(7)) == [7, 8, 9, 10]
    same(dict(ours.reset()), dict(theirs.reset()))
    play_alike(kind, ours, theirs, longest + 3)
    same(dict(ours.reset()), dict(theirs.reset()))  # seeds were for one reset
    for options in ({"brief": kind.briefs[0]}, [{"brief": b} for b in kind.briefs] + [{}]):
        for env in (ours, theirs):
            env.set_options(options)
            env.seed(np.int64(3) if env is ours else 3)
        same(dict(ours.reset()), dict(theirs.reset()))
        play_alike(kind, ours, theirs, longest + 1)
        same(dict(ours.reset()), dict(theirs.reset()))  # and so were options
    for env in (ours, theirs):
        env.set_options({"brief": kind.briefs[1]})
        env.set_options()
        env.seed(1)
    same(dict(ours.reset()), dict(theirs.reset()))


def test_an_algorithm_that_seeds_gets_the_same_works_from_both(dealt):
    made = []
    for env in (dealt.sb3(), dealt.dummy()):
        A2C("MultiInputPolicy", env, n_steps=4, seed=3, device="cpu").learn(80)
        made.append(env.reset())
    same(*map(dict, made))


def test_methods_and_attributes_are_those_of_the_boards_asked_for(kind):
    ours, theirs = kind.sb3(), kind.dummy()
    for env in (ours, theirs):
        env.seed(7)
        env.reset()
        env.set_attr("colour", "red")
        env.set_attr("colour", "blue", indices=[1, 3])
        assert env.get_attr("colour") == ["red", "blue", "red", "blue"]
        assert env.get_attr("colour", 2) == ["red"]
        assert env.get_attr("render_mode", [0, 1]) == [None, None]
        assert env.get_attr("np_random_seed") == [7, 8, 9, 10]
        assert env.has_attr("action_space") and not env.has_attr("no_such_thing")
        with pytest.raises(AttributeError):
            env.env_method("no_such_thing")
    same(ours.env_method("step", 3, indices=[0, 2]), theirs.env_method("step", 3, indices=[0, 2]))
    assert ours.batch.simulator.counts.tolist() == [1, 0, 1, 0]
    same(
        ours.env_method("reset", seed=5, options={"brief": kind.briefs[0]}, indices=0),
        theirs.env_method("reset", seed=5, options={"brief": kind.briefs[0]}, indices=0),
    )
    assert ours.batch.simulator.counts.tolist() == [0, 0, 1, 0]
    assert ours.env_is_wrapped(TimeLimit) == theirs.env_is_wrapped(TimeLimit)
    assert ours.env_is_wrapped(Monitor, indices=[1]) == [False]


def test_two_resets_deal_on_and_a_seed_is_drawn_by_each_board(dealt):
    env = dealt.sb3()
    briefs = []
    for _ in range(3):
        env.reset()
        briefs.append(env.batch.simulator.briefs.copy())
    # Each brief of the pool once, before any comes again.
    assert len(np.unique(np.concatenate(briefs), axis=0)) == 3 * N
    again = dealt.sb3()
    again.reset()
    np.testing.assert_array_equal(again.batch.simulator.briefs, briefs[0])
    other = dealt.sb3(seed=1)
    other.reset()
    assert (other.batch.simulator.briefs != briefs[0]).any()
    # A brief that is given does not stop the dealing for the others.
    again.set_options([{}, {"brief": dealt.briefs[0]}, {}, {}])
    again.reset()
    left = again.batch.simulator.briefs
    np.testing.assert_array_equal(left[1], dealt.briefs[0])
    np.testing.assert_array_equal(left[[0, 2, 3]], briefs[1][:3])


def test_options_of_sb3_that_are_wrong_are_refused_at_once():
    env = KINDS["composition"].sb3()
    for options, error, words in (
        ([{}] * 3, ValueError, "expected a dictionary, or 4 of them"),
        ("brief", ValueError, "expected a dictionary, or 4 of them"),
        ([{}, {}, 5, {}], TypeError, "expected a dictionary, got int"),
        ({"brief": [2, 3]}, ValueError, "expected shape"),
    ):
        with pytest.raises(error, match=words):
            env.set_options(options)
    with pytest.raises(ResetNeeded):
        env.step(np.zeros(N, np.int64))
    env.close()
    env.close()


def test_vec_wrappers_of_sb3_work(kind):
    env = VecCheckNan(VecMonitor(kind.sb3()), raise_exception=True)
    env.seed(2)
    env.set_options({"brief": kind.briefs[0]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = env.reset()
        for _ in range(3):
            env.step(np.zeros(N, np.int64))
    env.seed(2)
    env.set_options({"brief": kind.briefs[0]})
    same(dict(first), dict(env.reset()))
