"""Weights of networks and the state of optimisers; torch is imported only where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from move37.novelty.storage.files import StorageError, StrPath, one_line, write_atomically

if TYPE_CHECKING:
    from torch import Tensor, nn, optim


def save_weights(path: StrPath, module: nn.Module) -> None:
    """Write a module's weights (safetensors), atomically."""
    from safetensors.torch import save as to_safetensors

    weights = {key: value.contiguous() for key, value in module.state_dict().items()}
    write_atomically(path, to_safetensors(weights))


def load_weights(path: StrPath, module: nn.Module, prefix: str = "") -> None:
    """Read weights into a module that has the same names, shapes and types.

    Args:
        path: A safetensors file.
        module: Takes the weights; unchanged if anything is wrong.
        prefix: Only names that begin with it are read, without it.

    Raises:
        StorageError: If the file is missing, damaged, of another architecture, or not finite.
    """
    expected = module.state_dict()
    weights: dict[str, Tensor] = {}
    try:
        with safe_open(path, "pt") as file:
            names = {key.removeprefix(prefix) for key in file.keys() if key.startswith(prefix)}
            for name in sorted(names ^ set(expected)):
                raise ValueError(f"{name!r} is {'unknown' if name in names else 'missing'}")
            for name, value in expected.items():
                # The shape first: nothing is read that would not fit.
                shape = file.get_slice(prefix + name).get_shape()
                if shape != list(value.shape):
                    raise ValueError(f"{name}: expected shape {list(value.shape)}, got {shape}")
                found = file.get_tensor(prefix + name)
                if found.dtype != value.dtype:
                    raise ValueError(f"{name}: expected {value.dtype}, got {found.dtype}")
                if found.is_floating_point() and not bool(found.isfinite().all()):
                    raise ValueError(f"{name}: not finite")
                weights[name] = found
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file") from None
    except (SafetensorError, ValueError, OSError, RuntimeError, UnicodeError) as error:
        raise StorageError(f"{path}: not the weights expected ({one_line(error)})") from error
    module.load_state_dict(weights)


def moments_of(optimizer: optim.Optimizer) -> dict[str, NDArray[Any]]:
    """The state that an optimiser keeps of each parameter, for :func:`load_moments`."""
    return {
        f"{i}/{key}": value.numpy()
        for i, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
    }


def load_moments(optimizer: optim.Optimizer, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put back the state of :func:`moments_of`; the optimiser's settings stay as they are.

    Raises:
        ValueError: If the state is that of other parameters.
    """
    from torch import from_numpy

    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in arrays.items():
        i, key = name.split("/")
        moments.setdefault(int(i), {})[key] = from_numpy(value.copy())
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
