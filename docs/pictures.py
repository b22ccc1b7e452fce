"""Make the pictures of the documentation, in docs/pictures.

python docs/pictures.py                                # human works and environments
python docs/pictures.py --drawing RUN --composition RUN # and works of finished runs

The human works are icons of Tabler and chorales of J. S. Bach, as the worlds load them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gymnasium
import numpy as np

import move37  # noqa: F401  (registers the environments)
from move37.envs.base.registry import make_world
from move37.envs.base.works import Works, write_atomically
from move37.envs.base.world import World
from move37.envs.composition.score.notation import svg
from move37.envs.composition.score.render import roll
from move37.envs.composition.works import scores_of_works
from move37.envs.files.pictures import save_png
from move37.envs.files.sheets import sheet, side_by_side
from move37.replay import replay

OUT = Path(__file__).with_name("pictures")
BRIEF = [[(2, 23), (21, 23)]]
"""A given stroke, to show how one looks."""


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--drawing", type=Path, metavar="RUN", help="a finished run")
    parser.add_argument("--composition", type=Path, metavar="RUN", help="a finished run")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER", help=f"default: {OUT}")
    args = parser.parse_args()

    drawing = make_world("drawing")
    human = drawing.train[np.random.default_rng(3).permutation(len(drawing.train))[:60]]
    save(args.out / "drawing-human.png", sheet(drawing, human, 12, size=72))
    save(args.out / "drawing-environment.png", drawing_board(human))
    for name in ("composition", "composition-free", "composition-four"):
        world = make_world(name)
        save(args.out / f"{name}-environment.png", composition_board(world))
        if name == "composition":
            save(args.out / "composition-human.png", sheet(world, world.train[:10], 5))
            write_piece(args.out, "composition-human", world.train[3:4])

    if args.drawing:
        learner = replay(args.drawing, best=30, log=lambda line: None)
        save(
            args.out / "drawing-learner.png",
            side_by_side(
                drawing, human[:30], learner, ("human", "learner, best by reward"), size=72
            ),
        )
    if args.composition:
        write_piece(
            args.out,
            "composition-learner",
            replay(args.composition, best=1, log=lambda line: None),
        )


def save(path: Path, picture: np.ndarray) -> None:
    """Write a picture with few colours, which keeps the file small."""
    save_png(path, picture, colours=64)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def write_piece(folder: Path, name: str, work: Works) -> None:
    """Write one composition as an engraved score and as a piano roll."""
    score = svg(scores_of_works(work)[0])
    # Paper of its own: black notes are hard to see where pages are dark.
    score = score.replace("<svg ", '<svg style="background: #fcfaf5" ', 1)
    path = folder / f"{name}-score.svg"
    write_atomically(path, score.encode())
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    save(folder / f"{name}-roll.png", roll(work, 0, 900, 340))


def drawing_board(works: Works) -> np.ndarray:
    """What the drawing environment renders in the middle of a work, with a given stroke."""
    env = gymnasium.make("Move37/DrawingFree-v0", render_mode="rgb_array", render_size=384)
    env.reset(seed=0, options={"brief": BRIEF})
    longest = works.moves[works.lengths.argmax()]
    return play(env, longest, 20)


def composition_board(world: World) -> np.ndarray:
    """What an environment of the composition worlds renders in the middle of a human work."""
    env = gymnasium.make(world.env_id, render_mode="rgb_array", render_size=384)
    env.reset(seed=0, options={"brief": world.train.briefs[3]})
    return play(env, world.train.moves[3], world.train.moves.shape[1] * 5 // 8)


def play(env: gymnasium.Env, moves: np.ndarray, n: int) -> np.ndarray:
    """The picture after the first n moves."""
    for move in moves[:n]:
        env.step(int(move))
    return env.render()


if __name__ == "__main__":
    main()
