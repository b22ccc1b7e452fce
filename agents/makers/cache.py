"""What a maker has learnt, kept in its folder with the settings it belongs to and a checksum."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from move37.agents.makers.maker import TrainContext
from move37.novelty.storage import StorageError, read_state, write_state

KIND = "move37-maker-1"
Facts = dict[str, Any]


class Cache:
    """``NAME.safetensors`` in a maker's folder.

    What is found there is used if it is whole and was learnt with the same settings. Anything else
    is said in one line and learnt again. The world, its human works and the seed are always among
    the settings; whatever else decides what is learnt has to be named.

    Args:
        context: What the maker is fitted with.
        name: Of the file.
        settings: Budget, sizes and the like, of values that JSON can hold.

    Attributes:
        path: The file.
    """

    def __init__(self, context: TrainContext, name: str, **settings: Any) -> None:
        self.path = context.folder / f"{name}.safetensors"
        world = context.world
        every = {"world": world.id, "corpus": world.fingerprint, "seed": context.seed, **settings}
        self._settings: dict[str, Any] = json.loads(json.dumps(every))
        self._log = context.log

    def load(self) -> tuple[dict[str, NDArray[Any]], Facts] | None:
        """Arrays by name and the facts kept with them; None if it has to be learnt."""
        if not self.path.exists():
            return None
        try:
            arrays, found = read_state(self.path, KIND)
        except StorageError as error:
            self._log(f"{error}; it is made again")
            return None
        held, wanted = found["settings"], self._settings
        other = [key for key in sorted({*held, *wanted}) if held.get(key) != wanted.get(key)]
        if other:
            names = ", ".join(other)
            self._log(f"{self.path}: learnt with other settings ({names}); it is made again")
            return None
        return arrays, found["facts"]

    def load_into(self, module: nn.Module) -> Facts | None:
        """Read a module's weights; the facts kept with them, or None if it has to be learnt."""
        found = self.load()
        if found is None:
            return None
        arrays, facts = found
        expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
        if {key: value.shape for key, value in arrays.items()} != expected:
            self._log(f"{self.path}: weights of another network; it is made again")
            return None
        module.load_state_dict({key: torch.from_numpy(value) for key, value in arrays.items()})
        return facts

    def save(self, arrays: Mapping[str, Tensor | NDArray[Any]], **facts: Any) -> None:
        """Keep what was learnt, and facts about it that JSON can hold."""
        plain = {key: np.asarray(value) for key, value in arrays.items()}
        write_state(self.path, plain, {"settings": self._settings, "facts": facts}, KIND)
