"""How worlds and makers are found: by name, by entry point, or as ``module:attribute``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any


def known_places(own: Mapping[str, str], group: str) -> dict[str, str]:
    """Names and where each is found, ``module:attribute``.

    Args:
        own: Those of this package, which no other package can replace.
        group: The group of Python entry points by which other packages bring more.
    """
    others = {point.name: point.value for point in entry_points(group=group)}
    return {**own, **{name: where for name, where in others.items() if name not in own}}


def find_place(kind: str, name: str, known: Mapping[str, str], form: str) -> Any:
    """What a name stands for.

    Args:
        kind: What is looked for, for the errors: ``"world"`` say.
        name: One of those known, or ``module:attribute``.
        known: From :func:`known_places`.
        form: How ``module:attribute`` is called in the errors: ``"module:Class"`` say.

    Raises:
        ValueError: If there is nothing of that name.
    """
    where = name if ":" in name else known.get(name)
    if where is None:
        raise ValueError(f"{kind} {name!r} is none of {', '.join(sorted(known))}, and no {form}")
    module, _, attribute = where.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise ValueError(f"{kind} {name!r}: {error}; is its folder on PYTHONPATH?") from error
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{kind} {name!r}: {error}") from error
