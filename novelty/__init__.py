"""Novelty and diversity: arrays in, numbers out. Knows no world.

`knn` finds exact nearest neighbours, `archive` remembers what has been made and says how far a new
work is from it, `diversity` measures a set of works against itself. `shift`, `support`, `styles`,
`decisions` and `compression` say whether a distribution has moved; `statistics` how sure that is.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from novelty.archive import (
        ArchiveError,
        NoveltyArchive,
        leave_one_out_novelty,
        novelty_in_groups,
    )
    from novelty.compression import (
        compression_progress,
        deflate_bits,
        lzma_bits,
        move_bytes,
        train_dictionary,
    )
    from novelty.decisions import (
        copy_insertion,
        first_novel_moves,
        length_strata,
        novelty_index,
        stratified_by_length,
    )
    from novelty.diversity import repeats, vendi_score
    from novelty.knn import nearest
    from novelty.rediscovery import Rediscovery, rediscovered
    from novelty.shift import calibrated_density_coverage, density_coverage, shift_test
    from novelty.statistics import (
        Interval,
        airplane_ratio,
        bootstrap,
        clopper_pearson,
        interquartile_mean,
        plain,
        rank_agreement,
        rule_of_three,
        stratified_bootstrap,
    )
    from novelty.styles import Styles, style_shares
    from novelty.support import human_radius, support_curve, support_test

_HOMES = {
    "archive": (
        "ArchiveError",
        "NoveltyArchive",
        "leave_one_out_novelty",
        "novelty_in_groups",
    ),
    "compression": (
        "compression_progress",
        "deflate_bits",
        "lzma_bits",
        "move_bytes",
        "train_dictionary",
    ),
    "decisions": (
        "copy_insertion",
        "first_novel_moves",
        "length_strata",
        "novelty_index",
        "stratified_by_length",
    ),
    "diversity": (
        "repeats",
        "vendi_score",
    ),
    "knn": ("nearest",),
    "rediscovery": ("Rediscovery", "rediscovered"),
    "shift": (
        "calibrated_density_coverage",
        "density_coverage",
        "shift_test",
    ),
    "statistics": (
        "Interval",
        "airplane_ratio",
        "bootstrap",
        "clopper_pearson",
        "interquartile_mean",
        "plain",
        "rank_agreement",
        "rule_of_three",
        "stratified_bootstrap",
    ),
    "styles": (
        "Styles",
        "style_shares",
    ),
    "support": (
        "human_radius",
        "support_curve",
        "support_test",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ArchiveError",
    "Interval",
    "NoveltyArchive",
    "Rediscovery",
    "Styles",
    "airplane_ratio",
    "bootstrap",
    "calibrated_density_coverage",
    "clopper_pearson",
    "compression_progress",
    "copy_insertion",
    "deflate_bits",
    "density_coverage",
    "first_novel_moves",
    "human_radius",
    "interquartile_mean",
    "leave_one_out_novelty",
    "length_strata",
    "lzma_bits",
    "move_bytes",
    "nearest",
    "novelty_in_groups",
    "novelty_index",
    "plain",
    "rank_agreement",
    "rediscovered",
    "repeats",
    "rule_of_three",
    "shift_test",
    "stratified_bootstrap",
    "stratified_by_length",
    "style_shares",
    "support_curve",
    "support_test",
    "train_dictionary",
    "vendi_score",
]


def __getattr__(name: str) -> Any:
    """Import a name's module when it is first asked for: most of them need torch or scipy."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
