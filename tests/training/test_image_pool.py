from pathlib import Path

import torch
from torch import Tensor

from medsearch.training.checkpoints import Checkpoint
from medsearch.training.image_pool import ImagePool


def numbered(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).clone()


def numbers(images: Tensor) -> list[float]:
    return images[:, 0, 0, 0].tolist()


def pool(size: int = 3, seed: int = 0) -> ImagePool:
    return ImagePool(size, shape=(1, 2, 2), seed=seed)


def test_it_fills_first_and_gives_back_the_new_ones() -> None:
    of = pool()
    assert numbers(of(numbered(1, 2))) == [1, 2]
    assert numbers(of(numbered(3))) == [3]
    assert numbers(of.images) == [1, 2, 3]


def test_a_full_pool_exchanges_image_by_image_half_of_the_time() -> None:
    of, count, exchanged = pool(), 2000, 0
    of(numbered(1, 2, 3))
    for number in range(4, 4 + count):
        stored = numbers(of.images)
        (given,) = numbers(of(numbered(number)))
        if given == number:
            assert numbers(of.images) == stored
        else:
            stored[stored.index(given)] = number
            assert numbers(of.images) == stored
            exchanged += 1
    assert 0.45 < exchanged / count < 0.55


def test_every_place_is_exchanged_alike() -> None:
    of, places = pool(), [0, 0, 0]
    of(numbered(1, 2, 3))
    for number in range(4, 3004):
        before = numbers(of.images)
        of(numbered(number))
        places = [count + (was != now) for count, was, now in zip(places, before, numbers(of.images), strict=True)]
    assert max(places) - min(places) < 120


def test_a_batch_draws_as_its_images_one_by_one_do_and_no_other_generator_counts() -> None:
    batch = numbered(*range(40))
    whole = numbers(pool()(batch))
    of = pool()
    torch.manual_seed(7)
    assert [number for part in batch.split([1, 7, 20, 12]) for number in numbers(of(part))] == whole
    assert numbers(pool(seed=1)(batch)) != whole


def test_nothing_is_kept_of_the_graph_nor_of_the_given_images() -> None:
    of, images = pool(2), numbered(1, 2).requires_grad_()
    given = of(images)
    given.fill_(9)
    assert not given.requires_grad
    assert numbers(of.images) == [1, 2]


def test_a_pool_of_none_passes_all() -> None:
    images = numbered(1, 2, 3)
    assert numbers(pool(0)(images)) == [1, 2, 3]


def test_it_goes_on_from_a_checkpoint_as_if_nothing_had_happened(tmp_path: Path) -> None:
    for filled in (2, 30):  # before and after it is full
        of, later = pool(), numbered(*range(100, 140))
        of(numbered(*range(filled)))
        Checkpoint(tmp_path, {"pool": of}, {}).save({})
        again = pool(seed=5)
        Checkpoint(tmp_path, {"pool": again}, {}).load()
        assert numbers(again(later)) == numbers(of(later))
        assert torch.equal(again.images, of.images)
