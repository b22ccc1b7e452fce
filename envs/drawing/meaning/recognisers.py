"""Recognisers together: what a drawing is named, and which of its strokes nobody needs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from move37.envs.base.works import PAD
from move37.envs.drawing.meaning.networks import Recogniser
from move37.envs.drawing.meaning.picture import JITTER, Numbers, pictures
from move37.envs.drawing.moves import END, LIFT
from move37.novelty.storage import StorageError, load_weights, parse_json, write_atomically

BATCH = 512
"""Pictures named at once."""
JITTERS = 8
IDLE_BELOW = 0.02
"""A stroke is idle if the drawing's probability falls by less than this without it."""

Moves = NDArray[np.int16]


class Recognisers:
    """One or more networks that name drawings; what they say is their mean.

    Args:
        networks: Of one list of concepts.
        names: The concepts they know, in the order of their classes.
    """

    def __init__(self, networks: Sequence[Recogniser], names: Sequence[str]) -> None:
        self.networks, self.names = tuple(n.eval() for n in networks), tuple(names)
        self._fast = [_fused(network) for network in self.networks]
        self._classes = {name: i for i, name in enumerate(self.names)}

    def class_of(self, name: str) -> int:
        """The class of a concept; -1 if the networks do not know it."""
        return self._classes.get(name, -1)

    def classes_of(self, names: Iterable[str]) -> NDArray[np.int64]:
        """The classes of concepts (N,), and one -1 more: that of concept -1, which is none."""
        return np.array([*map(self.class_of, names), -1], np.int64)

    @torch.no_grad()
    def each(self, moves: Moves, numbers: Numbers | None = None) -> NDArray[np.float32]:
        """What each network says of drawings.

        Args:
            moves: (N, T) int16, -1 after the end.
            numbers: How each is varied, see :func:`pictures`; None: not at all.

        Returns:
            Probabilities (networks, N, C + 1) float32; the last of a drawing is that of "nothing".
        """
        out = np.zeros((len(self.networks), len(moves), len(self.names) + 1), np.float32)
        for begin in range(0, len(moves), BATCH):
            rows = slice(begin, begin + BATCH)
            seen = pictures(moves[rows], None if numbers is None else numbers[rows])
            x = torch.from_numpy(seen)
            for k, network in enumerate(self._fast):
                with torch.autocast("cpu", torch.bfloat16):
                    logits = network(x)
                out[k, rows] = torch.softmax(logits, 1).numpy()
        return out

    def __call__(self, moves: Moves, numbers: Numbers | None = None) -> NDArray[np.float32]:
        """Probabilities (N, C + 1) float32: the mean of what the networks say."""
        return np.asarray(self.each(moves, numbers).mean(axis=0), np.float32)

    def probability(
        self, moves: Moves, classes: NDArray[np.int64], jitters: int = 0, seed: int = 0
    ) -> NDArray[np.float64]:
        """How sure drawings are named with given classes.

        Args:
            moves: (N, T) int16.
            classes: (N,) int64.
            jitters: Little variations of each drawing; 0: it is shown once, as it is.
            seed: Of the variations.

        Returns:
            (N, max(1, jitters)) float64.
        """
        n, times = len(moves), max(1, jitters)
        numbers = JITTER.draw(n * times, np.random.default_rng(seed)) if jitters else None
        said = self(np.repeat(moves, times, axis=0), numbers)
        chosen = said[np.arange(n * times), np.repeat(classes, times)]
        return np.asarray(chosen.reshape(n, times), np.float64)

    def idle_strokes(
        self, moves: Moves, classes: NDArray[np.int64], jitters: int = JITTERS, seed: int = 0
    ) -> list[NDArray[np.bool_]]:
        """Which strokes nobody needs to see what a drawing is.

        A stroke is idle if without it the probability of the concept is lower by less than 0.02, in
        the middle of the jitters. Strokes are taken away one at a time, the idlest first; the only
        stroke that is left is not idle.

        Args:
            moves: (N, T) int16.
            classes: (N,) int64: of the concepts drawn.
            jitters: Variations looked at.
            seed: Of the variations, which are the same for a drawing with and without a stroke.

        Returns:
            For each drawing (S,) bool, in the order of its strokes.
        """
        bounds = [stroke_bounds(row) for row in moves]
        idle = [np.zeros(len(b), np.bool_) for b in bounds]
        numbers = JITTER.draw(len(moves) * jitters, np.random.default_rng(seed))
        numbers = numbers.reshape(len(moves), jitters, numbers.shape[1])
        active = np.array([i for i, b in enumerate(bounds) if len(b) > 1], np.int64)
        known = self._jittered(moves[active], classes[active], numbers[active])
        while len(active):
            tried = [
                (place, stroke)
                for place, i in enumerate(active)
                for stroke in np.flatnonzero(~idle[i]).tolist()
            ]
            rows = np.array([active[place] for place, _ in tried])
            shown = np.stack([
                without(moves[active[place]], bounds[active[place]], idle[active[place]], stroke)
                for place, stroke in tried
            ])  # fmt: skip
            left = self._jittered(shown, classes[rows], numbers[rows])
            places = np.array([place for place, _ in tried])
            fall = np.median(known[places] - left, axis=1)
            going, next_known = [], []
            for place, i in enumerate(active):
                mine = np.flatnonzero(places == place)
                best = mine[fall[mine].argmin()]
                if fall[best] >= IDLE_BELOW:
                    continue
                idle[i][tried[best][1]] = True
                if (~idle[i]).sum() > 1:
                    going.append(i)
                    next_known.append(left[best])
            active = np.array(going, np.int64)
            known = np.array(next_known)
        return idle

    def _jittered(
        self, moves: Moves, classes: NDArray[np.int64], numbers: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(N, jitters): probabilities of the classes under given jitters (N, jitters, ...)."""
        n, times = numbers.shape[:2]
        if n == 0:
            return np.zeros((0, times))
        said = self(np.repeat(moves, times, axis=0), numbers.reshape(n * times, -1))
        return np.asarray(
            said[np.arange(n * times), np.repeat(classes, times)].reshape(n, times), np.float64
        )

    def save(self, paths: Sequence[Path]) -> None:
        """Write each network to a file, in half precision."""
        for path, network in zip(paths, self.networks, strict=True):
            facts = {"kind": network.kind, "width": network.width, "names": self.names}
            weights = {k: v.contiguous() for k, v in network.half().state_dict().items()}
            write_atomically(path, to_safetensors(weights, {"recogniser": json.dumps(facts)}))
            network.float()

    @classmethod
    def load(cls, paths: Sequence[Path]) -> Recognisers:
        """Read what :meth:`save` wrote.

        Raises:
            StorageError: If a file is missing, damaged, or the networks know different concepts.
        """
        networks: list[Recogniser] = []
        names: list[str] = []
        for path in paths:
            try:
                with safe_open(path, "pt") as file:
                    facts = parse_json((file.metadata() or {})["recogniser"].encode())
                known = [str(name) for name in facts["names"]]
                network = Recogniser(len(known), str(facts["kind"]), int(facts["width"]))
            except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
                raise StorageError(f"{path}: no recogniser can be read ({error})") from error
            if networks and known != names:
                raise StorageError(f"{path}: knows other concepts than {paths[0]}")
            load_weights(path, network.half())
            networks.append(network.float())
            names = known
        return cls(networks, names)


def _fused(network: Recogniser) -> Recogniser:
    """The same network with each batch normalisation made part of the convolution before it."""
    fast = copy.deepcopy(network)
    for module in list(fast.body.modules()):
        for (name, one), (next_name, after) in pairwise(list(module.named_children())):
            if isinstance(one, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(one, after))
                setattr(module, next_name, nn.Identity())
    return fast.to(memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]


def stroke_bounds(row: NDArray[np.int16]) -> list[tuple[int, int]]:
    """First and one past the last move of each stroke of a drawing's moves (T,)."""
    bounds: list[tuple[int, int]] = []
    begin = -1
    for t, move in enumerate([*row.tolist(), END]):
        if move in (LIFT, END, PAD):
            if begin >= 0:
                bounds.append((begin, t))
            begin = -1
            if move != LIFT:
                break
        elif begin < 0:
            begin = t
    return bounds


def without(
    row: NDArray[np.int16],
    bounds: Sequence[tuple[int, int]],
    gone: NDArray[np.bool_],
    stroke: int = -1,
) -> NDArray[np.int16]:
    """A drawing's moves (T,) without the strokes that are gone, and without one more."""
    kept: list[int] = []
    for s, (begin, end) in enumerate(bounds):
        if not gone[s] and s != stroke:
            kept += [LIFT, *row[begin:end].tolist()] if kept else row[begin:end].tolist()
    out = np.full(len(row), PAD, np.int16)
    out[: len(kept) + 1] = [*kept, END][: len(row)]
    return out


def idle_first(row: NDArray[np.int16], idle: NDArray[np.bool_]) -> tuple[NDArray[np.int16], int]:
    """A drawing's moves (T,) with its idle strokes first, and how many moves draw these."""
    bounds = stroke_bounds(row)
    first, rest = without(row, bounds, ~idle), without(row, bounds, idle)
    n = int((first >= 0).sum()) - 1  # without END
    return np.concatenate([first[:n], [LIFT] * (n > 0), rest]).astype(np.int16), n
