"""Newness of compositions: Bach's works are what is known, and a manner of the own works costs."""

import copy

import numpy as np

from move37.envs.base.world import make_world
from move37.envs.composition.judging.descriptor import Descriptor
from move37.envs.composition.judging.evaluator import pictures_of, scores_of_works
from move37.envs.composition.judging.novelty_reward import ArchiveNovelty, contours
from move37.envs.composition.modes import BASS
from move37.envs.composition.moves import BASS_ROW, FIRST_NOTE, HOLD
from move37.envs.composition.score.roll import read_rolls, rolls_of
from move37.novelty.archive import NoveltyArchive


def test_a_line_that_climbs_in_every_work_is_a_habit():
    world = make_world("composition", limit=200)
    scores = scores_of_works(world.train)
    human = contours(scores, BASS)
    assert human.shape == (len(scores), 16) and np.abs(human.sum(axis=1)).max() < 1e-9
    x = Descriptor.fit(scores)
    archive = NoveltyArchive(x.dim, 5)
    archive.pin(x(scores))
    novelty_reward = ArchiveNovelty(
        x,
        archive,
        scores,
        1.3,
        floor=0.0,
        own_count=False,
        view=read_rolls,
        memory=600,
        mode=BASS,
    )
    rolls = pictures_of(world.train)
    climbing = scores[:1].copy()
    climbing[0, BASS_ROW] = HOLD
    climbing[0, BASS_ROW, ::4] = FIRST_NOTE + 3 * np.arange(8)
    climbs = rolls_of(climbing)
    assert novelty_reward(world.train.moves[:1], climbs)["mode_collapse"].tolist() == [0]
    for _ in range(4):  # as usual as human works are
        terms = novelty_reward(world.train.moves, rolls)
    assert terms["mode_collapse"].max() < 0.2
    other = np.concatenate([climbs] * 300)
    moves = np.zeros((300, 32), np.int16)
    for _ in range(2):
        novelty_reward(moves, other)
    terms = novelty_reward(moves[:1], climbs)
    assert terms["mode_collapse"][0] == 1
    again = copy.deepcopy(novelty_reward)
    again.load_state(novelty_reward.state())
    lines = novelty_reward.kept(rolls)
    assert again.mode_collapse(lines).tolist() == novelty_reward.mode_collapse(lines).tolist()
    assert np.median(again.mode_collapse(lines)) < 0.1  # who does otherwise pays nothing
