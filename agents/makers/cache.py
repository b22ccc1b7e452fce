"""What a maker has learnt, kept in its folder: tensors, the settings they belong to, a checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from move37.agents.makers.maker import TrainContext
from move37.novelty.storage import StorageError, one_line, read_json, write_atomically

Facts = dict[str, Any]


class Cache:
    """``NAME.safetensors`` and ``NAME.json`` in a maker's folder.

    What is found there is used if it is whole and was learnt with the same settings. Anything else
    is said in one line and learnt again. The world, its human works and the seed are always among
    the settings; whatever else decides what is learnt has to be named.

    Args:
        context: What the maker is fitted with.
        name: Of the files.
        settings: Budget, sizes and the like, of values that JSON can hold.

    Attributes:
        path: The tensors' file; the settings are beside it.
    """

    def __init__(self, context: TrainContext, name: str, **settings: Any) -> None:
        self.path = context.folder / f"{name}.safetensors"
        world = context.world
        every = {"world": world.id, "corpus": world.fingerprint, "seed": context.seed, **settings}
        self._settings: dict[str, Any] = json.loads(json.dumps(every))
        self._log = context.log

    def load(self) -> tuple[dict[str, Tensor], Facts] | None:
        """Tensors by name and the facts kept with them; None if it has to be learnt."""
        described = self.path.with_suffix(".json")
        if not described.exists():
            return None
        try:
            found = read_json(described)
            held, wanted = found["settings"], self._settings
            other = [key for key in sorted({*held, *wanted}) if held.get(key) != wanted.get(key)]
            if other:
                raise ValueError(f"learnt with other settings ({', '.join(other)})")
            data = self.path.read_bytes()
            if hashlib.sha256(data).hexdigest() != found["sha256"]:
                raise ValueError("damaged: the checksum is another")
            return load(data), dict(found["facts"])
        except (StorageError, SafetensorError, OSError, ValueError, KeyError, TypeError,
                AttributeError) as error:  # fmt: skip
            self._log(f"{self.path}: {one_line(error)}; it is made again")
            return None

    def load_into(self, module: nn.Module) -> Facts | None:
        """Read a module's weights; the facts kept with them, or None if it has to be learnt."""
        found = self.load()
        if found is None:
            return None
        tensors, facts = found
        expected = {key: value.shape for key, value in module.state_dict().items()}
        if {key: value.shape for key, value in tensors.items()} != expected:
            self._log(f"{self.path}: weights of another network; it is made again")
            return None
        module.load_state_dict(tensors)
        return facts

    def save(self, tensors: Mapping[str, Tensor], **facts: Any) -> None:
        """Keep what was learnt, and facts about it that JSON can hold."""
        data = save({key: value.contiguous() for key, value in tensors.items()})
        described = {
            "settings": self._settings,
            "facts": facts,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        # In this order: what was interrupted between the two does not fit its checksum.
        write_atomically(self.path, data)
        write_atomically(self.path.with_suffix(".json"), json.dumps(described, indent=2).encode())
