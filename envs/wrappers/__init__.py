"""Wrappers for any environment, of this package or not: novelty as a reward.

`novelty` has those of Gymnasium, `sb3` that of Stable-Baselines3.
"""
