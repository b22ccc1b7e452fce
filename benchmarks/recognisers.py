"""Make the recognisers that Move37 ships again, one at a time, and measure them.

    python -m benchmarks.recognisers lists           # the frozen lists of concepts
    python -m benchmarks.recognisers fit judge-1     # weights and a log, half an hour on one core
    python -m benchmarks.recognisers measure         # benchmarks/results/recognisers.md

Judges learn from `flet-iconoir` too: `pip install --no-deps flet-iconoir==0.3.0`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from benchmarks.reporting import place, write
from move37.envs.drawing.corpus.augment import damage, random_works
from move37.envs.drawing.designers.concepts import Concepts
from move37.envs.drawing.designers.labelled import (
    INSTALLED,
    JUDGING,
    OUTSIDERS,
    TRAINING,
    Labelled,
    load_labelled,
)
from move37.envs.drawing.meaning.fitting import FitOptions, fit_recogniser, torn
from move37.envs.drawing.meaning.judges import JUDGES, REWARD, load_recognisers
from move37.envs.drawing.meaning.lists import (
    choices_of,
    choose_draws,
    choose_lists,
    read_draws,
    read_lists,
    text_of,
)
from move37.envs.drawing.meaning.picture import Variation, pictures
from move37.envs.drawing.meaning.recognisers import Recognisers, stroke_bounds, without

MEANING = Path(__file__).parents[1] / "envs" / "drawing" / "meaning"
LOGS = Path(__file__).parent / "results" / "recognisers"
RECIPES = {
    "reward-1": FitOptions("plain", width=32, steps=2500, seed=1),
    "reward-2": FitOptions("plain", width=40, steps=2500, seed=2),
    "judge-1": FitOptions("large-kernel", width=32, steps=3000, seed=11),
    "judge-2": FitOptions("residual", width=48, steps=3000, seed=12),
}
"""How each is made. Those called reward learn what learners may practise, from the training side;
judges learn what is withheld from learners too, from the judging side."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("lists", "fit", "measure"))
    parser.add_argument("name", nargs="?", choices=RECIPES, help="of the recogniser to fit")
    args = parser.parse_args()
    concepts = Concepts.read()
    if args.what == "lists":
        sides = (load_labelled(names, concepts) for names in (TRAINING, JUDGING))
        lists = choose_lists(concepts, *sides)
        (MEANING / "known.txt").write_text(text_of(lists))
        (MEANING / "draws.txt").write_text(text_of(choose_draws(known_to("judge", lists))))
    elif args.what == "fit":
        if args.name is None:
            parser.error("fit needs the name of a recogniser")
        fit(args.name, concepts)
    else:
        measure(concepts)


def known_to(name: str, lists: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The concepts that a recogniser of this name knows, sorted."""
    return tuple(
        sorted(lists["practised"] + (lists["withheld"] if name.startswith("judge") else ()))
    )


def fit(name: str, concepts: Concepts) -> None:
    """Make one recogniser, and log how."""
    names = known_to(name, read_lists())
    drawings = load_labelled(JUDGING if name.startswith("judge") else TRAINING, concepts)
    options = RECIPES[name]
    torch.set_num_threads(1)
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("w") as log, tqdm(total=options.steps) as bar:
        print(f"python -m benchmarks.recognisers fit {name}", file=log)
        print(f"{time.strftime('%Y-%m-%d')}, torch {torch.__version__}, one thread", file=log)
        print(f"{len(names)} concepts, {options}", file=log)

        def report(step: int, loss: float, seconds: float) -> None:
            print(f"step {step}  loss {loss:.3f}  {seconds:.0f} s", file=log, flush=True)
            bar.update(step - bar.n)

        known = [concepts.number(n) for n in names]
        network = fit_recogniser(drawings, known, options, report)
    path = MEANING / "weights" / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    Recognisers([network], names).save([path])


def measure(concepts: Concepts) -> None:
    """How well judges and the reward's recognisers name what designers drew that they never saw."""
    groups = {name: load_recognisers((name,)) for name in RECIPES}
    groups |= {"judges": load_recognisers(JUDGES), "reward": load_recognisers(REWARD)}
    sides = {
        "outsiders": load_labelled(OUTSIDERS, concepts),
        "training": load_labelled(TRAINING, concepts),
        "judging": load_labelled(tuple(n for n in JUDGING if n in INSTALLED), concepts),
    }
    table: dict[str, dict[str, float]] = {}
    for group, recognisers in groups.items():
        other = "training" if group.startswith("judge") else "judging"
        found = table.setdefault(group, {"concepts": len(recognisers.names)})
        for side in ("outsiders", other):
            name = side if side == "outsiders" else "designers of the other side"
            found |= {
                f"{name}, {k}": v for k, v in naming(recognisers, sides[side], concepts).items()
            }
        found |= nothing(recognisers, sides["outsiders"])
        found |= robustness(recognisers, sides["outsiders"], concepts)
        found["one-shot, 1 of 20"] = one_shot(recognisers, sides, concepts)
        print(group, found, flush=True)
    rows = list(dict.fromkeys(row for found in table.values() for row in found))
    lines = [
        "# Recognisers", "", "`python -m benchmarks.recognisers measure`", "",
        "| | " + " | ".join(table) + " |", "|---" * (len(table) + 1) + "|",
        *(f"| {row} | " + " | ".join(f"{found[row]:.4g}" for found in table.values()) + " |"
          for row in rows),
        "", *designers(groups["judges"], sides["outsiders"], concepts), "",
        place(torch.get_num_threads()),
    ]  # fmt: skip
    write("recognisers", "\n".join(lines) + "\n")


def known_drawings(
    recognisers: Recognisers, drawings: Labelled, concepts: Concepts
) -> tuple[Labelled, NDArray[np.int64]]:
    """Drawings of what recognisers know, showing nothing else, and their classes."""
    classes = recognisers.classes_of(concepts.names)
    kept = drawings[drawings.whole & (classes[drawings.concepts] >= 0)]
    return kept, classes[kept.concepts]


def naming(recognisers: Recognisers, drawings: Labelled, concepts: Concepts) -> dict[str, float]:
    """Shares named rightly, of all and of 20, and the expected calibration error."""
    kept, classes = known_drawings(recognisers, drawings, concepts)
    said, draws = recognisers(kept.works.moves), read_draws()
    of_20 = []
    for i, (row, c) in enumerate(zip(said, classes, strict=True)):
        among = [recognisers.class_of(n) for n in choices_of(recognisers.names[c], i, draws)]
        of_20.append(row[[a for a in among if a >= 0]].argmax() == 0)
    right, sure = said.argmax(axis=1) == classes, said.max(axis=1)
    bins = np.minimum((sure * 15).astype(int), 14)
    gaps = [
        abs(right[bins == b].mean() - sure[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    return {
        "drawings": len(kept), "named": right.mean(), "named of 20": np.mean(of_20),
        "called nothing": (said.argmax(axis=1) == len(recognisers.names)).mean(),
        "calibration error": sum(gaps),
    }  # fmt: skip


def nothing(recognisers: Recognisers, drawings: Labelled) -> dict[str, float]:
    """How torn and random works are told from human ones, by the probability of nothing."""
    rng = np.random.default_rng(5)
    human = drawings[drawings.whole].works.moves
    kinds = {
        "human": human, "torn": torn(human, rng), "damaged": torn(damage(human, rng), rng),
        "random": random_works(len(human), (human >= 0).sum(axis=1), rng),
    }  # fmt: skip
    said = {kind: recognisers(moves) for kind, moves in kinds.items()}
    last = len(recognisers.names)
    out = {
        f"{kind} called nothing": (said[kind].argmax(axis=1) == last).mean()
        for kind in ("torn", "damaged", "random")
    }
    for high, low in (("human", "torn"), ("torn", "random")):
        scores = np.concatenate([1 - said[high][:, last], 1 - said[low][:, last]])
        labels = np.repeat([1, 0], [len(said[high]), len(said[low])])
        out[f"{high} above {low} (AUC)"] = roc_auc_score(labels, scores)
    return out


def robustness(
    recognisers: Recognisers, drawings: Labelled, concepts: Concepts
) -> dict[str, float]:
    """Shares named rightly of drawings that are changed a little."""
    kept, classes = known_drawings(recognisers, drawings, concepts)
    moves, rng = kept.works.moves, np.random.default_rng(6)

    def varied(variation: Variation) -> float:
        numbers = variation.draw(len(moves), np.random.default_rng(7))
        return float((recognisers(moves, numbers).argmax(axis=1) == classes).mean())

    still = {"turn": 0.0, "scale": 0.0, "shear": 0.0, "shift": 0.0, "thick": 0.0}
    fewer = []
    for row in moves:
        bounds = stroke_bounds(row)
        gone = np.zeros(len(bounds), np.bool_)
        gone[rng.integers(len(bounds))] = len(bounds) > 1
        fewer.append(without(row, bounds, gone))
    return {
        "named if shifted": varied(Variation(**still | {"shift": 0.1})),
        "named if turned up to 20 degrees": varied(Variation(**still | {"turn": 20.0})),
        "named if scaled by up to a quarter": varied(Variation(**still | {"scale": 0.25})),
        "named by a shaky hand": varied(Variation(**still, bend=1.2, wobble=0.35, gap=0.15)),
        "named without one stroke": (recognisers(np.stack(fewer)).argmax(axis=1) == classes).mean(),
    }  # fmt: skip


def one_shot(
    recognisers: Recognisers, sides: Mapping[str, Labelled], concepts: Concepts, trials: int = 2000
) -> float:
    """Of 20 concepts that nobody learnt, each shown by one exemplar: share recognised.

    The protocol of Boutin et al. (2022): the nearest prototype, by the cosine of features.
    """
    numbers = [concepts.number(name) for name in read_lists()["one-shot"]]
    rows, labels, hands = [], [], []
    for i, side in enumerate(sides.values()):
        some = side[side.whole & np.isin(side.concepts, numbers)]
        rows.append(some.works.moves)
        labels.append(some.concepts)
        hands.append(some.designers + 100 * i)
    moves, label, hand = np.concatenate(rows), np.concatenate(labels), np.concatenate(hands)
    x = torch.from_numpy(pictures(moves))
    with torch.no_grad():
        parts = [torch.nn.functional.normalize(n.features(x), dim=1) for n in recognisers.networks]
    features = torch.cat(parts, 1).numpy()
    rng, hits = np.random.default_rng(8), 0
    for _ in range(trials):
        query = rng.integers(len(moves))
        shown = [rng.choice(np.flatnonzero((label == c) & (hand != hand[query]))) for c in numbers]
        hits += numbers[int((features[shown] @ features[query]).argmax())] == label[query]
    return hits / trials


def designers(recognisers: Recognisers, drawings: Labelled, concepts: Concepts) -> list[str]:
    """A table of the outsiders: drawings, share named rightly, idle strokes."""
    kept, classes = known_drawings(recognisers, drawings, concepts)
    right = recognisers(kept.works.moves).argmax(axis=1) == classes
    shares = np.array(
        [row.mean() for row in recognisers.idle_strokes(kept.works.moves, classes)], np.float64
    )
    lines = ["| designer | drawings | named | idle strokes: median | mean | upper quartile |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for i, name in enumerate((*kept.names, "all")):
        mine = (kept.designers == i) | (name == "all")
        figures = (right[mine].mean(), np.median(shares[mine]), shares[mine].mean(),
                   np.quantile(shares[mine], 0.75))  # fmt: skip
        lines.append(f"| {name} | {mine.sum()} | " + " | ".join(f"{x:.2f}" for x in figures) + " |")
    return lines


if __name__ == "__main__":
    main()
