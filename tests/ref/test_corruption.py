"""Ten thousand damaged artifacts: refused, or bit by bit what was written."""

import hashlib
import random
from collections.abc import Callable

import pytest
from toys import random_model, small

from pgolf_ref.errors import UserError
from pgolf_ref.quant.artifact import export_model, load_model
from pgolf_ref.quant.container import MAGIC, ContainerError, read_container

TRIES = 2500  # of each of four kinds
DAMAGED = 300  # with a checksum that agrees


def artifact(seed: int = 0) -> bytes:
    config = small("export.rounding=['matrix=gptq']", "export.lqer_rank=1", "export.lqer_group=16", "export.matrix_bits=4")
    return export_model(random_model(config, seed), config)


def flipped(data: bytes, other: bytes, choose: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(choose.randint(1, 4)):
        damaged[choose.randrange(len(damaged))] ^= 1 << choose.randrange(8)
    return bytes(damaged)


def truncated(data: bytes, other: bytes, choose: random.Random) -> bytes:
    start, end = choose.randrange(40), choose.randrange(len(data))
    return data[start if choose.random() < 0.3 else 0 : end]


def spliced(data: bytes, other: bytes, choose: random.Random) -> bytes:
    """The beginning of one artifact and the end of another, at the same or at different places."""
    cut = choose.randrange(1, len(data))
    return data[:cut] + other[cut if choose.random() < 0.5 else choose.randrange(len(other)) :]


def moved(data: bytes, other: bytes, choose: random.Random) -> bytes:
    """A run of bytes twice, left out, or in another place."""
    first, second = sorted(choose.sample(range(len(data)), 2))
    part, place = data[first:second], choose.randrange(len(data))
    without = data[:first] + data[second:]
    twice = data[:place] + part + data[place:]
    return choose.choice((twice, without, without[:place] + part + without[place:]))


@pytest.mark.parametrize("damage", [flipped, truncated, spliced, moved])
def test_a_damaged_artifact_is_refused_or_the_one_that_was_written(damage: Callable[[bytes, bytes, random.Random], bytes]) -> None:
    first, second, choose = artifact(), artifact(1), random.Random(damage.__name__)
    whole, refused = {first, second}, 0
    for _ in range(TRIES):
        damaged = damage(first, second, choose)
        try:
            read_container(damaged)
        except ContainerError:
            refused += 1
        else:
            assert damaged in whole
    assert refused > 0.9 * TRIES


@pytest.mark.parametrize("damage", [flipped, truncated, spliced, moved])
def test_damage_behind_a_right_checksum_is_refused_or_gives_a_model(damage: Callable[[bytes, bytes, random.Random], bytes]) -> None:
    """Whatever the bytes, the answer is a model or one sentence."""
    first, second, choose = artifact(), artifact(1), random.Random(damage.__name__)
    start = len(MAGIC) + hashlib.sha256().digest_size
    for _ in range(DAMAGED):
        rest = damage(first[start:], second[start:], choose)
        try:
            load_model(MAGIC + hashlib.sha256(rest).digest() + rest)
        except UserError as error:
            assert "export it again" in str(error)
