"""Reinforcement learners that shift the distribution of works, and the measures that say so.

The package has one part for each layer; imports go down only:

    move37.novelty   archive, k-nearest neighbours, measures of shift: arrays in, numbers out
    move37.envs      the worlds: dynamics, human works, judges, rendering
    move37.agents    whatever makes works: the PPO learner and the contrast agents
    move37.train, .create, .replay, .compare, .cache   the commands, where it is all put together
"""

import os
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from move37.envs.registration import register_envs

try:
    __version__ = version("move37")
except PackageNotFoundError:  # the folder is used without having been installed
    __version__ = "unknown"

if "matplotlib" not in sys.modules and (backend := os.environ.pop("MPLBACKEND", "")):
    # The shell of a notebook names a backend that may not be installed here. Importing matplotlib
    # would then fail, though Move37 opens no window.
    import matplotlib

    with suppress(ValueError):
        matplotlib.rcParams["backend"] = backend
        os.environ["MPLBACKEND"] = backend

register_envs()
