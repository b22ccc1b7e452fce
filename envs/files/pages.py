"""What the worlds' HTML pages have in common."""

from __future__ import annotations

import json
import math


def number(value: float) -> float | str:
    """A number as a page's JSON may hold it: whole ones as they are, others to six digits.

    What is not finite is no JSON and becomes a text.
    """
    if not math.isfinite(value):
        return str(value)
    return value if value == round(value) else float(f"{value:.6g}")


def script_json(data: object) -> str:
    """JSON that may stand within a script element: no text of it can end the element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
