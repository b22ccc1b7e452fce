"""The options of a training run: one flat dataclass, its presets, and its command line."""

from __future__ import annotations

from argparse import SUPPRESS
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from move37.agents.runs.terminal import Parser
from move37.envs.base.world import ENTRY_POINTS, find_world, settings_of
from move37.novelty.storage import read_json


def option(default: Any, text: str) -> Any:
    """A field of the configuration with its line of --help."""
    return field(default=default, metadata={"help": text})


CORPUS = (
    "human works (default: the world's; drawing: tabler; also lucide, kanjivg, an SVG folder, an "
    ".ndjson file)"
)


@dataclass(frozen=True)
class Config:
    """Every option of a run."""

    preset: str = option("default", "budget: smoke, default or full; other options override it")
    world: str = option(
        "drawing",
        f"kind of work: {', '.join(sorted(ENTRY_POINTS))}; a world may have defaults for PPO of "
        "its own",
    )
    seed: int = option(0, "seed of the imitator, the learner and the reward's critic")
    resume: str = option("", "go on with the run in this folder, with its options")
    run_dir: str = option("", "folder of the run (default: runs/WORLD-PRESET-SEED)")
    corpus: str = option("", CORPUS)
    withhold: str = option("", "comma-separated name patterns of works to take out of the world")
    human_works: int = option(0, "use only this many human works; 0: all")
    imitator: str = option("", "start from this imitator.safetensors of a run; fits none")
    imitation_epochs: int = option(18, "passes over the human moves")
    critic_updates: int = option(1200, "gradient steps of each critic's first training")
    env_steps: int = option(1_700_000, "moves that PPO makes")
    n_envs: int = option(256, "boards drawn on at once")
    n_steps: int = option(64, "moves on each board between two updates")
    batch_size: int = option(512, "moves per gradient step")
    n_epochs: int = option(1, "passes over each rollout")
    learning_rate: float = option(5e-4, "Adam's step size, falling to a tenth")
    kl_weight: float = option(0.02, "weight of the KL divergence from the imitator, in nats")
    gae_lambda: float = option(0.95, "of the advantages; 1: no bootstrapping from the value")
    value_network: str = option("shared", "of the value function: shared with the policy, or own")
    warm_rollouts: int = option(3, "rollouts that fit the value function before the policy moves")
    refresh_every: int = option(4, "rollouts between two refreshments of the critic")
    checkpoint_steps: int = option(250_000, "moves between two checkpoints of the policy")
    eval_works: int = option(2000, "fresh works that are measured at the end")
    threads: int = option(2, "torch threads")


PRESETS = {
    "smoke": Config(
        preset="smoke", human_works=600, imitation_epochs=2, critic_updates=60, env_steps=16_384,
        n_envs=64, n_steps=32, batch_size=512, n_epochs=1, warm_rollouts=1, eval_works=200,
    ),
    "default": Config(),
    "full": Config(preset="full", imitation_epochs=24, critic_updates=4000, env_steps=20_000_000),
}  # fmt: skip


def parse(arguments: list[str], description: str | None) -> Config:
    """Turn the command line into a configuration; one line and exit status 1 if it is wrong."""
    parser = Parser("train.py", description)
    for item in fields(Config):
        default: Any = item.default
        parser.add_argument(
            "--" + item.name.replace("_", "-"),
            type=type(default),
            default=SUPPRESS,
            metavar=type(default).__name__.upper(),
            help=item.metadata["help"] + (f" (default: {default})" if default != "" else ""),
        )
    given = vars(parser.parse_args(arguments))
    preset = given.get("preset", "default")
    if preset not in PRESETS:
        parser.error(f"--preset: {preset!r} is none of {', '.join(PRESETS)}")
    try:
        if "resume" in given:
            if len(given) > 1:
                raise ValueError("--resume: takes no other option; they are in its config.json")
            return load_config(given["resume"])
        config = PRESETS[preset]
        settings = _world_settings(given.get("world", config.world))
        config = replace(config, **(settings | _changes(config) | given))
        check(config)
    except ValueError as error:
        parser.error(str(error))
    return config if config.run_dir else replace(
        config, run_dir=f"runs/{config.world}-{config.preset}-{config.seed}"
    )  # fmt: skip


def _world_settings(world: str) -> dict[str, Any]:
    """What a world would have instead of the defaults; nothing if there is no such world."""
    return settings_of(find_world(world)) if world in ENTRY_POINTS else {}


def _changes(preset: Config) -> dict[str, Any]:
    """Options that a preset has otherwise than the default."""
    values = {item.name: getattr(preset, item.name) for item in fields(preset)}
    return {key: value for key, value in values.items() if value != getattr(Config(), key)}


MOST = {
    "seed": (1 << 32) - 1, "n_envs": 1 << 16, "n_steps": 1 << 16, "eval_works": 1 << 20,
    "threads": 1 << 10, "imitation_epochs": 1 << 20, "warm_rollouts": 1 << 20,
}  # fmt: skip
"""Largest values: a wrong file of options must not ask for all the memory there is."""


def check(config: Config) -> None:
    """Refuse options that cannot be.

    Raises:
        ValueError: Names the option and what is wrong with it.
    """
    if config.preset not in PRESETS:
        raise ValueError(f"--preset: {config.preset!r:.40} is none of {', '.join(PRESETS)}")
    for item in fields(config):
        value = getattr(config, item.name)
        lowest = 0 if item.name in ("seed", "human_works", "kl_weight", "warm_rollouts") else 1e-9
        most = MOST.get(item.name, 1 << 53)
        if isinstance(value, int | float) and not lowest <= value <= most:
            raise ValueError(f"--{item.name.replace('_', '-')}: {value} is out of range")
    try:
        find_world(config.world)
    except ValueError as error:
        raise ValueError(f"--world: {error}") from error
    if config.value_network not in ("shared", "own"):
        raise ValueError(f"--value-network: {config.value_network!r:.40} is neither shared nor own")
    if config.n_envs * config.n_steps > 1 << 24:
        raise ValueError("--n-steps: --n-envs x --n-steps is out of range")
    if config.n_envs * config.n_steps % config.batch_size:
        raise ValueError("--batch-size: must divide --n-envs x --n-steps")
    if 0 < config.human_works < 100:
        raise ValueError("--human-works: at least 100 are needed (or 0 for all)")


def options_of(config: Config) -> dict[str, Any]:
    """The options as they are written to ``config.json``."""
    return {key: value for key, value in asdict(config).items() if key != "resume"}


def load_config(run: str) -> Config:
    """The options of a run, to go on with it.

    Raises:
        ValueError: If the folder holds no ``config.json``, or one that is wrong.
    """
    path = Path(run) / "config.json"
    found = read_json(path)
    known = {item.name: type(item.default) for item in fields(Config)}
    for key, value in found.items():
        if key not in known or key == "resume":
            raise ValueError(f"{path}: {key[:40]!r} is no option")
        # A whole number will do where a fraction is asked for, but true is no number.
        kinds = (int, float) if known[key] is float else (known[key],)
        if type(value) not in kinds:
            raise ValueError(f"{path}: {key} is {value!r:.40}, expected {known[key].__name__}")
        if type(value) is int and abs(value) >= 1 << 63:
            raise ValueError(f"{path}: {key} is out of range")
    config = replace(Config(**found), resume=run, run_dir=run)
    try:
        check(config)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return config
