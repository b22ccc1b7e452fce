import numpy as np
import pytest

from move37.agents.runs.shift_curves import ShiftCurves
from move37.envs.base.works import Works
from move37.novelty.diversity import leave_one_out_novelty


class Plane:
    """Describes works by their first two moves."""

    def describe(self, works):
        return works.moves[:, :2].astype(np.float32)


def works_at(rng, n, centre, steps=None):
    moves = np.round(rng.normal(centre, 30, (n, 2))).astype(np.int16) + 500
    terms = {} if steps is None else {"step": np.asarray(steps, float)}
    return Works("drawing", moves, appraisal=terms)


@pytest.fixture
def human():
    return works_at(np.random.default_rng(0), 600, 0)


def test_curves_are_near_nothing_without_a_shift_and_large_with_one(human):
    rng = np.random.default_rng(1)
    shift_curves = ShiftCurves(Plane(), human, 0)
    same = shift_curves.curves(Plane().describe(works_at(rng, 400, 0)), 1)
    assert abs(same["shift/energy_effect"]) < 0.01 and same["shift/p_value"] > 0.01
    assert same["shift/coverage"] == pytest.approx(1, abs=0.1)
    far = shift_curves.curves(Plane().describe(works_at(rng, 400, 200)), 2)
    assert far["shift/energy_effect"] > 0.8 and far["shift/p_value"] == pytest.approx(0.01)
    assert far["shift/density"] < 0.05


def test_the_same_run_gives_the_same_curves(human):
    works = works_at(np.random.default_rng(2), 300, 5)
    one, two = (
        ShiftCurves(Plane(), human, 3).curves(Plane().describe(works), 77) for _ in range(2)
    )
    assert one == two


def test_the_picture_turns_from_cold_to_warm_as_kinds_appear(human):
    assert leave_one_out_novelty(human.moves[:, :2].astype(np.float32), 1).max() < 100
    rng = np.random.default_rng(4)
    early, late = works_at(rng, 200, 0, range(200)), works_at(rng, 200, 300, range(200, 400))
    moves = np.concatenate([early.moves, late.moves])
    steps = np.arange(400.0)
    shift_curves = ShiftCurves(Plane(), human, 0)
    picture = shift_curves.picture(Works("drawing", moves, appraisal={"step": steps})).astype(int)
    assert picture.shape == (520, 800, 3)  # with the legend below
    warmth = picture[200:400, :, 0] - picture[200:400, :, 2]
    assert warmth[:, 150:350].mean() < 0 < 60 < warmth[:, 550:750].mean()
    # Drawing changes nothing: the same works give the same picture again.
    again = shift_curves.picture(Works("drawing", moves, appraisal={"step": steps}))
    np.testing.assert_array_equal(picture, again)
