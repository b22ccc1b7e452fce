"""What TensorBoard shows beside curves."""

import io
import wave
from types import SimpleNamespace

import numpy as np
import pytest
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from move37.agents.runs.dashboard import Dashboard
from move37.envs.base.works import Works
from move37.envs.composition.moves import BRIEF, EIGHTHS, FERMATA, SOPRANO
from move37.envs.composition.score import sound
from move37.envs.composition.world import CompositionWorld
from move37.envs.drawing.world import DrawingWorld


def two_pieces():
    """One long note each, an octave apart; the second is worth more."""
    briefs = np.zeros((2, BRIEF), np.int16)
    briefs[:, SOPRANO] = 20
    briefs[:, FERMATA - 1 + EIGHTHS] = 1
    moves = np.zeros((2, EIGHTHS), np.int16)
    moves[:, 0] = [11, 23]
    return Works("composition", moves, briefs, appraisal={"reward": np.array([0.1, 0.9])})


def shown(folder, world, works):
    logger = Logger(str(folder), [TensorBoardOutputFormat(str(folder))])
    Dashboard(logger, world).sheets(works, 7)
    logger.dump(7)
    logger.close()
    events = EventAccumulator(str(folder), size_guidance={"audio": 0, "images": 0})
    events.Reload()
    return events


def strongest(samples):
    """Hertz."""
    size = np.abs(np.fft.rfft(samples[: 4 * sound.RATE]))
    return np.fft.rfftfreq(4 * sound.RATE, 1 / sound.RATE)[size[:1200].argmax()]


def test_works_are_heard_and_seen(tmp_path):
    world = SimpleNamespace(tile=CompositionWorld.tile, sound=CompositionWorld.sound)
    works = two_pieces()
    events = shown(tmp_path, world, works)
    assert set(events.Tags()["images"]) == {"sheets/newest", "sheets/best"}
    assert set(events.Tags()["audio"]) == {"sound/newest", "sound/best"}
    (heard,) = events.Audio("sound/best")
    assert heard.step == 7
    with wave.open(io.BytesIO(heard.encoded_audio_string)) as file:
        assert file.getframerate() == sound.RATE
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    expected, rate = CompositionWorld.sound(works[1:])
    assert rate == sound.RATE and len(samples) == len(expected)
    np.testing.assert_allclose(samples / 32767, expected, atol=1e-3)
    low, high = (strongest(CompositionWorld.sound(works[i : i + 1])[0]) for i in range(2))
    assert high == pytest.approx(2 * low, rel=0.02)


def test_a_world_without_sound_is_only_seen(tmp_path):
    works = Works("drawing", np.full((2, 48), -1, np.int16), appraisal={"reward": np.zeros(2)})
    works.moves[:, :3] = [[4, 40, 300], [8, 90, 10]]
    events = shown(
        tmp_path, SimpleNamespace(tile=DrawingWorld.tile, sound=lambda works: None), works
    )
    assert len(events.Tags()["images"]) == 2 and not events.Tags()["audio"]
