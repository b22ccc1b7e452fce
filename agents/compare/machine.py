"""What the times of a comparison were taken on, and with which versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("move37", "numpy", "torch", "stable-baselines3", "ribs", "scikit-learn")
"""Packages whose versions decide figures."""


def machine() -> dict[str, str]:
    """The machine's CPU, number of cores and operating system."""
    name = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        for line in cpus.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return {"CPU": name, "cores": str(os.cpu_count()), "system": platform.system()}


def versions() -> dict[str, str]:
    """Versions of Python and of :data:`PACKAGES`, as far as they are installed."""
    out = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            out[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return out
