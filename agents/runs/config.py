"""The configuration of a training run: one flat dataclass, its presets, and where it is saved."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from move37.agents.runs.terminal import field_docs
from move37.envs.base.registry import find_world
from move37.envs.base.works import write_atomically
from move37.novelty.storage import check_utf8, read_json

FILE = "config.json"
FORMAT = "move37-run-2"
"""Stands in ``config.json``. Runs of version 0.1 have none; their checkpoints cannot be read."""


@dataclass(frozen=True)
class Config:
    """Every option of a run. The docstring under each field is its line of ``--help``.

    Raises:
        ValueError: If an option is out of range; names the option and what is wrong with it.
    """

    preset: str = "default"
    """budget: smoke, default or full; other options override it"""
    world: str = "drawing"
    """kind of work: drawing, drawing-concepts, composition, composition-free, composition-four, or
    module:Class of your own; a world may have defaults for PPO of its own"""
    seed: int = 0
    """seed of the imitator, the learner and the reward's critic"""
    run_dir: str = ""
    """folder of the run (default: runs/WORLD-PRESET-SEED, or the next free one)"""
    corpus: str = ""
    """human works (default: the world's; drawing: tabler; also lucide, kanjivg, an SVG folder, an
    .ndjson file)"""
    withhold: str = ""
    """comma-separated name patterns of works to take out of the world"""
    human_works: int = 0
    """use only this many human works; 0: all"""
    imitator: str = ""
    """start from this imitator.safetensors of another run instead of fitting one"""
    imitation_epochs: int = 18
    """passes over the human moves"""
    self_imitation_rounds: int = 0
    """rounds before PPO in which the learner imitates the best of its own works"""
    self_imitation_works: int = 4096
    """works that it makes in each of these rounds"""
    self_imitation_temperature: float = 0.7
    """temperature at which it makes them"""
    self_imitation_best: int = 16
    """works that are kept and imitated, of each concept; all works, in worlds without concepts"""
    self_imitation_epochs: int = 3
    """passes over these works in each round"""
    critic_updates: int = 1200
    """gradient steps of each critic's first training"""
    critic_pools: int = 4
    """differently damaged copies of the human works that critics learn from"""
    env_steps: int = 1_700_000
    """moves that PPO makes"""
    n_envs: int = 256
    """boards played at once"""
    n_steps: int = 64
    """moves on each board between two updates"""
    batch_size: int = 512
    """moves per gradient step"""
    n_epochs: int = 1
    """passes over each rollout"""
    learning_rate: float = 5e-4
    """Adam's step size; falls linearly to a tenth"""
    gae_lambda: float = 0.95
    """of generalised advantage estimation; 1: no bootstrapping from the value"""
    clip_range: float = 0.2
    """PPO's clipping of the probability ratio"""
    vf_coef: float = 0.5
    """weight of the value loss"""
    max_grad_norm: float = 0.5
    """largest norm of the gradient"""
    kl_weight: float = 0.02
    """weight of the KL divergence from the imitator, in nats, in the loss"""
    value_network: str = "shared"
    """network of the value function: shared with the policy, or own"""
    warm_rollouts: int = 3
    """rollouts that fit the value function before the policy changes"""
    refresh_every: int = 4
    """rollouts between two trainings of the reward's critic on the learner's works"""
    checkpoint_steps: int = 250_000
    """moves between two checkpoints"""
    eval_works: int = 2000
    """fresh works that are measured at the end"""
    threads: int = 2
    """torch threads"""

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ValueError(f"--preset: {self.preset!r:.40} is none of {', '.join(PRESETS)}")
        for item in fields(self):
            value = getattr(self, item.name)
            lowest = 0 if item.name in MAY_BE_ZERO else 1e-9
            if isinstance(value, int | float) and not (
                lowest <= value <= MOST.get(item.name, 1 << 53)
            ):
                raise ValueError(f"--{item.name.replace('_', '-')}: {value} is out of range")
        if self.value_network not in ("shared", "own"):
            raise ValueError(
                f"--value-network: {self.value_network!r:.40} is neither shared nor own"
            )
        if self.n_envs * self.n_steps > 1 << 24:
            raise ValueError("--n-steps: --n-envs x --n-steps is out of range")
        if self.n_envs * self.n_steps % self.batch_size:
            raise ValueError("--batch-size: must divide --n-envs x --n-steps")
        if 0 < self.human_works < 100:
            raise ValueError("--human-works: at least 100 are needed (or 0 for all)")
        check_utf8(self.run_dir, "--run-dir")
        try:
            find_world(self.world)
        except ValueError as error:
            raise ValueError(f"--world: {error}") from error

    @property
    def withheld(self) -> tuple[str, ...]:
        """The patterns of ``withhold``."""
        return tuple(p.strip() for p in self.withhold.split(",") if p.strip())


CORPUS = field_docs(Config)["corpus"]
"""The help for ``--corpus``, which other commands have too."""
MAY_BE_ZERO = (
    "seed", "human_works", "kl_weight", "vf_coef", "warm_rollouts", "self_imitation_rounds",
)  # fmt: skip
MOST = {
    "seed": (1 << 32) - 1, "n_envs": 1 << 16, "n_steps": 1 << 16, "eval_works": 1 << 20,
    "threads": 1 << 10, "gae_lambda": 1, "imitation_epochs": 1 << 20, "warm_rollouts": 1 << 20,
    "critic_pools": 1 << 10,
}  # fmt: skip
"""Largest values: a damaged ``config.json`` must not ask for all the memory there is."""

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {
        "human_works": 600, "imitation_epochs": 2, "critic_updates": 60, "critic_pools": 1,
        "env_steps": 16_384, "n_envs": 64, "n_steps": 32, "warm_rollouts": 1, "eval_works": 200,
    },
    "default": {},
    "full": {"imitation_epochs": 24, "critic_updates": 4000, "env_steps": 20_000_000},
}  # fmt: skip
"""What each preset has otherwise than :class:`Config`'s defaults; comparisons use them too."""


def preset_value(preset: str, option: str) -> Any:
    """What a preset has for an option, in a world without defaults of its own."""
    return PRESETS[preset].get(option, getattr(Config, option))


def make_config(preset: str = "default", world: str = "drawing", **options: Any) -> Config:
    """The configuration of a preset in a world.

    Args:
        preset: A name in :data:`PRESETS`. It overrides what the world has instead of the defaults.
        world: As in :class:`Config`.
        **options: Override both. ``run_dir`` has no default here: nothing is written into the
            current folder unasked.

    Raises:
        ValueError: If an option is out of range.
    """
    if preset not in PRESETS:
        raise ValueError(f"--preset: {preset!r:.40} is none of {', '.join(PRESETS)}")
    try:
        kind = find_world(world)
    except ValueError as error:
        raise ValueError(f"--world: {error}") from error
    known = {item.name for item in fields(Config)}
    for name in kind.ppo:
        if name not in known:
            raise ValueError(f"--world: {world}: ppo: {name!r:.40} is no option of `train`")
    options = dict(kind.ppo) | PRESETS[preset] | options
    return Config(preset=preset, world=world, **options)


def save_config(config: Config) -> None:
    """Write ``config.json`` to the folder of the run."""
    text = json.dumps({"format": FORMAT} | asdict(config), indent=2)
    write_atomically(Path(config.run_dir) / FILE, text.encode())


def load_config(run: Path) -> Config:
    """The configuration of the run in a folder, wherever the folder is now.

    Raises:
        ValueError: If the folder holds no ``config.json``, or one that is wrong.
    """
    path = run / FILE
    found = read_json(path)
    if found.pop("format", None) != FORMAT:
        raise ValueError(
            f"{path}: not a run of this version, so it cannot be resumed or make new works "
            "(works and networks of version 0.1 can still be replayed)"
        )
    known = {item.name: type(item.default) for item in fields(Config)}
    for key, value in found.items():
        if key not in known:
            raise ValueError(f"{path}: {key[:40]!r} is no option")
        # A whole number will do where a fraction is asked for, but true is no number.
        kinds = (int, float) if known[key] is float else (known[key],)
        if type(value) not in kinds:
            raise ValueError(f"{path}: {key} is {value!r:.40}, expected {known[key].__name__}")
        if type(value) is int and abs(value) >= 1 << 63:
            raise ValueError(f"{path}: {key} is out of range")
    try:
        return Config(**found | {"run_dir": str(run)})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
