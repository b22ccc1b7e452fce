"""Newness of compositions: Bach's works are what is known, and a manner of the own works costs."""

import numpy as np

from move37.envs.base.registry import make_world
from move37.envs.base.works import Works, join_works
from move37.envs.composition.judging.descriptor import ContourCollapse, contours, features_of
from move37.envs.composition.modes import BASS
from move37.envs.composition.moves import BASS_ROW, FIRST_NOTE, HOLD
from move37.envs.composition.scores import moves_and_briefs
from move37.envs.composition.works import scores_of_works
from move37.envs.judging.novelty_reward import ArchiveNovelty
from move37.envs.judging.pca import PrincipalComponents
from move37.novelty.archive import NoveltyArchive


def test_a_line_that_climbs_in_every_work_is_a_habit():
    world = make_world("composition", limit=200)
    scores = scores_of_works(world.train)
    human = contours(world.train)
    assert human.shape == (len(scores), 16) and np.abs(human.sum(axis=1)).max() < 1e-9
    x = PrincipalComponents.fit(features_of, world.train, BASS.components)
    archive = NoveltyArchive(x.dim, 5)
    archive.pin(x(world.train))
    novelty_reward = ArchiveNovelty(
        x, archive, world.train, 1.3, floor=0.0, own_count=False, memory=600,
        mode_collapse=ContourCollapse,
    )  # fmt: skip
    climbing = scores[:1].copy()
    climbing[0, BASS_ROW] = HOLD
    climbing[0, BASS_ROW, ::4] = FIRST_NOTE + 3 * np.arange(8)
    climbs = Works("composition", *moves_and_briefs(climbing, BASS))
    assert novelty_reward(climbs)["mode_collapse"].tolist() == [0]
    for _ in range(4):  # as usual as human works are
        terms = novelty_reward(world.train)
    assert terms["mode_collapse"].max() < 0.2
    for _ in range(2):
        novelty_reward(join_works([climbs] * 300))
    assert novelty_reward(climbs)["mode_collapse"][0] == 1
    again = ArchiveNovelty(
        x, archive, world.train, 1.3, floor=0.0, own_count=False, memory=600,
        mode_collapse=ContourCollapse,
    )  # fmt: skip
    again.load_state(novelty_reward.state())
    said = again(world.train)["mode_collapse"]
    assert said.tolist() == novelty_reward(world.train)["mode_collapse"].tolist()
    assert np.median(said) < 0.1  # who does otherwise pays nothing
