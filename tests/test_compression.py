"""Description length: structure is short, noise is literal, and only structure makes progress."""

import numpy as np
import pytest

from move37.novelty.measures.compression import (
    WINDOW,
    compression_progress,
    deflate_bits,
    move_bytes,
    progress_of,
    train_dictionary,
)

RNG = np.random.default_rng
LITERAL = np.log2(500)


def phrases(n, rng, vocabulary):
    """Works of three phrases out of a vocabulary (V, 6) of six moves each."""
    return vocabulary[rng.integers(0, len(vocabulary), (n, 3))].reshape(n, -1)


def noise(n, rng):
    return rng.integers(0, 500, (n, 18))


def test_works_become_two_bytes_a_move_without_padding():
    assert move_bytes([[1, 258, -1], [-1, -1, -1]]) == [b"\x00\x01\x01\x02", b""]
    with pytest.raises(ValueError, match="moves"):
        move_bytes([[1 << 16]])
    with pytest.raises(ValueError, match="shape"):
        move_bytes([1, 2])


def test_a_known_work_is_short_and_noise_is_literal():
    rng = RNG(0)
    human = move_bytes(phrases(200, rng, rng.integers(0, 500, (40, 6))))
    dictionary = train_dictionary(human)
    known = deflate_bits(human, dictionary, LITERAL)
    random = deflate_bits(move_bytes(noise(200, rng)), dictionary, LITERAL)
    assert known.mean() < 0.6 * deflate_bits(human).mean()
    np.testing.assert_allclose(random, 18 * LITERAL)
    assert (deflate_bits([b""], dictionary) == 0).all()


def test_a_trained_dictionary_beats_works_taken_at_random():
    rng = RNG(1)
    common, rare = rng.integers(0, 500, (10, 6)), rng.integers(0, 500, (4000, 6))
    corpus = np.concatenate([phrases(300, rng, common), phrases(700, rng, rare)])
    works = move_bytes(corpus[rng.permutation(len(corpus))])
    size = 400
    trained = train_dictionary(works, size)
    assert len(trained) <= size
    test = move_bytes(phrases(100, rng, common))
    some = b"".join(works)[:size]
    assert deflate_bits(test, trained).mean() < 0.8 * deflate_bits(test, some).mean()
    assert len(train_dictionary(move_bytes(noise(2000, rng)))) <= WINDOW


def test_a_new_language_is_progress_and_noise_is_none():
    rng = RNG(2)
    old, new = rng.integers(0, 500, (40, 6)), rng.integers(0, 500, (40, 6))
    human = move_bytes(phrases(600, rng, old))

    def progress(make):
        return compression_progress(
            human, move_bytes(make(150)), move_bytes(make(100)), rng, LITERAL
        )

    learnt = progress(lambda n: phrases(n, rng, new))
    nothing = progress(lambda n: noise(n, rng))
    more = progress(lambda n: phrases(n, rng, old))
    assert learnt.progress.low > 10 and learnt.share > 0.1
    assert nothing.progress.value == pytest.approx(0, abs=1)
    assert abs(more.progress.value) < 0.3 * learnt.progress.value


def test_progress_is_the_mean_of_what_was_saved():
    found = progress_of([10.0, 20.0], [8.0, 14.0], RNG(0))
    assert (found.progress.value, found.share) == (4, pytest.approx(4 / 15))
    with pytest.raises(ValueError, match="arrays"):
        progress_of([], [], RNG(0))
