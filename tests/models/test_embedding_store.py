"""Embeddings in memory: of which image, how many bytes, and who leaves first."""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import numpy as np
import pytest
from seeded import picture

from vision.domain.image import ImageSize, RgbImage
from vision.models.base import ImageEmbedding, ModelIdentity
from vision.models.embedding_store import EmbeddingStore

MODEL = ModelIdentity("it", "0" * 64, "cpu", "float32")
A, B, C, D = (picture(24, 32, seed=seed) for seed in range(4))
EACH_BYTES = 100


class Encoder:
    """Says of each image who it is; remembers what it was asked."""

    def __init__(self, model: ModelIdentity = MODEL, *, each_bytes: int = EACH_BYTES) -> None:
        self.model = model
        self.each_bytes = each_bytes
        self.asked: list[RgbImage] = []

    def __call__(self, images: Sequence[RgbImage]) -> list[ImageEmbedding]:
        self.asked += images
        return [
            ImageEmbedding(ImageSize.of(one), self.model, one.tobytes(), self.each_bytes)
            for one in images
        ]

    def through(self, store: EmbeddingStore, *images: RgbImage) -> list[ImageEmbedding]:
        return store.each(images, model=self.model, embed=self)

    def asks(self, store: EmbeddingStore, *images: RgbImage) -> list[RgbImage]:
        """Of these, what isn't in the store."""
        before = len(self.asked)
        self.through(store, *images)
        return self.asked[before:]


def room_for(count: int) -> EmbeddingStore:
    return EmbeddingStore(count * EACH_BYTES)


def is_of(embedding: ImageEmbedding, image: RgbImage) -> bool:
    return embedding.features == image.tobytes() and embedding.size == ImageSize.of(image)


def test_an_image_is_computed_once() -> None:
    store, encoder = room_for(2), Encoder()

    (first,) = encoder.through(store, A)
    (second,) = encoder.through(store, A.copy())

    assert second is first
    assert len(encoder.asked) == 1


def test_known_and_unknown_images_come_back_in_order() -> None:
    store, encoder = room_for(4), Encoder()
    encoder.through(store, B, D)

    found = encoder.through(store, A, B, C, D)

    assert [is_of(one, image) for one, image in zip(found, (A, B, C, D), strict=True)] == [True] * 4
    assert len(encoder.asked) == 4


def test_an_image_that_comes_twice_at_once_is_computed_once() -> None:
    store, encoder = room_for(4), Encoder()

    found = encoder.through(store, A, B, A)

    assert found[0] is found[2]
    assert len(encoder.asked) == 2


@pytest.mark.parametrize(
    "other",
    [
        np.where(np.arange(A.size).reshape(A.shape) == A.size - 1, A ^ 1, A),
        A.reshape(32, 24, 3),
        A[:, ::-1],
    ],
    ids=["one bit", "same bytes in another shape", "mirrored without a copy"],
)
def test_another_image_is_another_embedding(other: RgbImage) -> None:
    store, encoder = room_for(4), Encoder()
    encoder.through(store, A)

    (found,) = encoder.through(store, other)

    assert is_of(found, other)
    assert len(encoder.asked) == 2


@pytest.mark.parametrize(
    "other",
    [
        replace(MODEL, name="other"),
        replace(MODEL, weights_sha256="1" * 64),
        replace(MODEL, device="cuda:1"),
        replace(MODEL, precision="bfloat16"),
    ],
    ids=["name", "weights", "device", "precision"],
)
def test_another_model_doesnt_get_this_ones(other: ModelIdentity) -> None:
    store = room_for(4)
    Encoder().through(store, A)

    (found,) = Encoder(other).through(store, A)

    assert found.model == other


def test_the_least_recently_used_leave_first() -> None:
    store, encoder = room_for(3), Encoder()
    encoder.through(store, A, B, C)
    encoder.through(store, A)  # used again: now B is the oldest

    encoder.through(store, D)

    assert encoder.asks(store, A, C, D) == []
    assert len(encoder.asks(store, B)) == 1


def test_bytes_are_counted_whatever_comes() -> None:
    store = EmbeddingStore(250)

    for seed in range(20):
        Encoder(each_bytes=(10, 70, 120)[seed % 3]).through(store, picture(8, 8, seed=seed))
        assert 0 < store.memory_bytes <= 250

    store.forget(MODEL)
    assert store.memory_bytes == 0


def test_what_is_larger_than_the_store_drives_nothing_out() -> None:
    store, encoder = room_for(2), Encoder()
    encoder.through(store, A)

    (large,) = Encoder(each_bytes=2 * EACH_BYTES + 1).through(store, B)

    assert is_of(large, B)
    assert encoder.asks(store, A) == []
    assert store.memory_bytes == EACH_BYTES


def test_more_than_fits_at_once_is_answered_whole() -> None:
    store, encoder = room_for(1), Encoder()

    found = encoder.through(store, A, B, C)

    assert [is_of(one, image) for one, image in zip(found, (A, B, C), strict=True)] == [True] * 3
    assert store.memory_bytes == EACH_BYTES


def test_embeddings_of_no_size_are_not_collected() -> None:
    """Of slivers there are no features: a million of their keys would count as nothing."""
    store, encoder = room_for(1), Encoder(each_bytes=0)
    encoder.through(store, A)

    assert len(encoder.asks(store, A)) == 1


def test_a_store_without_room_is_off() -> None:
    store, encoder = EmbeddingStore(0), Encoder()

    found = encoder.through(store, A, A)

    assert [is_of(one, A) for one in found] == [True, True]
    assert len(encoder.asked) == 2, "nobody has looked which images are the same"
    assert len(encoder.asks(store, A)) == 1
    assert store.memory_bytes == 0


def test_forgetting_one_model_leaves_the_others() -> None:
    store, mine, others = room_for(4), Encoder(), Encoder(replace(MODEL, name="other"))
    mine.through(store, A, B)
    others.through(store, A)

    store.forget(MODEL)

    assert store.memory_bytes == EACH_BYTES
    assert others.asks(store, A) == []
    assert len(mine.asks(store, A, B)) == 2


def test_an_encoder_that_loses_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match="argument"):
        room_for(4).each([A, B], model=MODEL, embed=lambda images: Encoder()(images[:1]))


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """They take turns in the middle of things."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty_threads")
def test_threads_share_a_store() -> None:
    """Images come, go and are forgotten at once: nobody gets another's, and the sum stays right."""
    store, threads = room_for(4), 8
    images = [picture(2, 2, seed=seed) for seed in range(6)]
    together = Barrier(threads)

    def ask(thread: int) -> bool:
        encoder, is_right = Encoder(), True
        together.wait()
        for turn in range(2000):
            some = [images[(turn + thread + step) % 6] for step in range(3)]
            found = encoder.through(store, *some)
            is_right &= all(map(is_of, found, some))
            if turn % 50 == 0:
                store.forget(MODEL)
        return is_right

    with ThreadPoolExecutor(threads) as pool:
        assert all(pool.map(ask, range(threads)))

    assert store.memory_bytes == 4 * EACH_BYTES
    store.forget(MODEL)
    assert store.memory_bytes == 0


def test_threads_that_ask_for_one_unknown_image_together_keep_it_once() -> None:
    store = room_for(4)
    inside = Barrier(2)

    def slow(images: Sequence[RgbImage]) -> list[ImageEmbedding]:
        inside.wait()  # both have looked before either puts
        return Encoder()(images)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: store.each([A], model=MODEL, embed=slow), range(2)))

    assert all(is_of(one, A) for (one,) in found)
    assert store.memory_bytes == EACH_BYTES
