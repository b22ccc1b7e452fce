"""Imitation and the learner on problems whose answer is known."""

from functools import partial

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import obs_as_tensor

from move37.agents.learner.callbacks import WorksCallback
from move37.agents.learner.imitation import evaluate, imitate, positions_of
from move37.agents.learner.policy import PriorPolicy
from move37.agents.learner.ppo import KLPenaltyPPO, make_ppo, warm_value
from move37.agents.learner.rollout import sample_works
from move37.agents.runs.config import Config
from move37.envs.base.appraisal import Appraisal
from move37.envs.base.batch import WorldBatch
from move37.envs.base.sb3 import WorldVecEnv
from move37.envs.base.works import Works, pad_moves
from move37.envs.drawing.dynamics import DrawingSimulator
from move37.envs.drawing.moves import END, MAX_MOVES, POINTS, SIZE
from move37.envs.drawing.network import DrawingNetwork

HUMAN = Works("drawing", pad_moves([np.array([30, 40, 50, END]), np.array([100, 101, END])]))


def test_positions_are_those_a_single_replay_sees():
    observations, moves = positions_of(DrawingSimulator, HUMAN)
    assert moves.tolist() == [30, 40, 50, END, 100, 101, END]
    simulator = DrawingSimulator(1)
    simulator.reset(np.arange(1))
    for at, move in enumerate(HUMAN.moves[0]):
        for key, value in simulator.observations.items():
            np.testing.assert_array_equal(observations[key][at], value[0])
        simulator.step(np.array([move], np.int64))


def test_an_imitator_learns_works_by_heart_and_samples_them():
    torch.manual_seed(0)
    works = HUMAN[np.array([0, 1] * 32)]
    positions = positions_of(DrawingSimulator, works)
    network = DrawingNetwork(width=64)
    before, _ = evaluate(network, *positions)
    fit = imitate(network, lambda _: positions, positions, epochs=40, batch_size=64)
    assert before > 5 and fit.nats < 0.2  # one fair choice in seven moves: ln 2 * 2 / 7 = 0.198
    made = sample_works(network, DrawingSimulator(16), "drawing", 100, np.random.default_rng(0))
    known = {tuple(row[row >= 0]) for row in HUMAN.moves}
    exact = [tuple(row[row >= 0]) in known for row in made.moves]
    assert np.mean(exact) > 0.9
    share = np.mean([row[0] == 30 for row in made.moves])
    assert 0.3 < share < 0.7


def test_samples_do_not_favour_short_works():
    """A network that ends with probability one half at each move gives geometric lengths."""

    class Coin(torch.nn.Module):
        def forward(self, obs):
            logits = torch.full((len(obs["ink"]), POINTS + 2), -30.0)
            logits[:, [0, END]] = 0.0
            return logits, logits

    made = sample_works(Coin(), DrawingSimulator(64), "drawing", 1000, np.random.default_rng(0))
    assert np.mean(made.lengths) == pytest.approx(2.0, abs=0.15)


def left_half(works):
    moves = works.moves
    points = (moves >= 0) & (moves < POINTS)
    left = points & (moves % SIZE < SIZE // 2)
    return {"quality": left.sum(axis=1) / np.maximum(points.sum(axis=1), 1)}


def learner(kl_weight=0.0, callback=None, value_network="shared"):
    torch.manual_seed(0)
    env = WorldVecEnv(
        WorldBatch(DrawingSimulator(32), Appraisal(left_half)),
        callback.add_finished if callback else None,
    )
    config = Config(
        n_envs=32, n_steps=MAX_MOVES, n_epochs=4, learning_rate=6e-3, kl_weight=kl_weight,
        value_network=value_network,
    )  # fmt: skip
    return make_ppo(env, DrawingNetwork(width=64), config)


def test_the_learner_finds_the_better_half_of_the_board():
    callback = WorksCallback("drawing")
    model = learner(callback=callback)
    rewards = []

    def note(moves, steps):
        rewards.append(callback.means["reward"])

    callback.on_round = note
    model.learn(26 * 32 * MAX_MOVES, callback)
    assert rewards[0] == pytest.approx(0.5, abs=0.1)
    assert rewards[-1] > 0.75, rewards


@pytest.mark.parametrize("value_network", ["shared", "own"])
def test_the_value_is_warmed_before_the_policy_moves(value_network):
    model = learner(value_network=value_network)
    policy = model.policy
    assert isinstance(policy, PriorPolicy)
    before = {k: v.clone() for k, v in policy.state_dict().items()}
    warm_value(model, 1, [WorksCallback("drawing")])
    moved = {
        k.split(".")[0] for k, v in policy.state_dict().items() if not torch.equal(v, before[k])
    }
    assert moved == ({"value", "critic"} if value_network == "own" else {"value"})
    assert not policy.value_only


def test_the_value_moves_its_own_network_and_never_the_policys():
    for value_network in ("shared", "own"):
        policy = learner(value_network=value_network).policy
        obs = obs_as_tensor(DrawingSimulator(8).observations, "cpu")
        values, log_prob, _ = policy.evaluate_actions(obs, torch.zeros(8))
        torch.testing.assert_close(values, policy.predict_values(obs))
        torch.testing.assert_close(values, policy(obs)[1])
        values.sum().backward(retain_graph=True)
        moved = {k.split(".")[0] for k, v in policy.named_parameters() if v.grad is not None}
        assert moved == ({"value", "critic"} if value_network == "own" else {"value"})
        policy.zero_grad(set_to_none=True)
        log_prob.sum().backward()
        moved = {k.split(".")[0] for k, v in policy.named_parameters() if v.grad is not None}
        assert moved == {"network"}


def test_a_value_with_a_network_of_its_own_knows_more():
    explained = []
    for value_network in ("shared", "own"):
        callback = WorksCallback("drawing")
        model = learner(callback=callback, value_network=value_network)
        model.lr_schedule = lambda _: 1e-3
        model.policy.value_only = True  # the policy stays, so that both see the same task
        model.learn(12 * 32 * MAX_MOVES, callback)
        buffer = model.rollout_buffer
        explained.append(1 - (buffer.returns - buffer.values).var() / buffer.returns.var())
    assert explained[1] > explained[0] + 0.05, explained


def test_the_entropy_handed_to_ppo_is_minus_the_divergence_from_the_imitator():
    policy = learner().policy
    obs = obs_as_tensor(DrawingSimulator(8).observations, "cpu")
    actions = torch.zeros(8)
    assert policy.evaluate_actions(obs, actions)[2].abs().max() < 1e-5
    with torch.no_grad():
        policy.network.head.bias[:100] += 1.0
    p = torch.softmax(policy.network(obs)[0], 1)
    q = torch.softmax(policy.prior(obs)[0], 1)
    expected = -(p * (p / q).log()).sum(1)
    torch.testing.assert_close(policy.evaluate_actions(obs, actions)[2], expected)


def test_the_penalty_is_in_stable_baselines3s_own_arithmetic():
    """The weights after updates are those of SB3's PPO, which calls the penalty an entropy loss."""

    def learnt(train):
        model = learner(kl_weight=0.5)
        model.set_logger(Logger(None, []))
        model.train = partial(train, model)
        model.learn(2 * 32 * MAX_MOVES)
        return model.policy.state_dict(), model.logger.name_to_value

    (ours, log), (theirs, theirs_log) = learnt(KLPenaltyPPO.train), learnt(PPO.train)
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    assert "train/entropy_loss" not in log
    assert log["train/kl_from_imitator"] == theirs_log["train/entropy_loss"] > 0


def test_a_larger_penalty_keeps_the_policy_nearer_to_the_imitator():
    distances = []
    for kl_weight in (0.0, 5.0):
        model = learner(kl_weight)
        model.set_logger(Logger(None, []))
        model.learn(4 * 32 * MAX_MOVES)
        distances.append(model.logger.name_to_value["train/kl_from_imitator"])
    assert distances[1] < distances[0] / 2
