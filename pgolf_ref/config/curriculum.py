"""What of the batch and of the model takes part when. The defaults are all of both, all the time."""

from dataclasses import dataclass

from pgolf_ref.config.checks import ranges


@dataclass(frozen=True, slots=True)
class CurriculumConfig:
    """Stages, each with the fraction of the run at which it begins; the first begins at 0."""

    lengths: tuple[int, ...] = ()  # tokens per row; rows are cut, so that a step reads the same tokens; none = data.seq_len
    length_starts: tuple[float, ...] = ()
    slots: tuple[int, ...] = ()  # micro-batches per step, the first ones of data.slots; none = all
    slot_starts: tuple[float, ...] = ()
    unfreeze: float = 0.0  # over this first part of the run the blocks join in, the last one first; 0 = all at once


def problems(c: CurriculumConfig) -> list[str]:
    """Every value of the section that is none."""
    return ranges("curriculum", c, {"positive": ("lengths", "slots"), "in [0, 1)": ("length_starts", "slot_starts", "unfreeze")})


def curriculum_rules(c: CurriculumConfig, seq_len: int, slots: int) -> list[tuple[str, bool]]:
    """(what must hold, whether it holds) for rows of `seq_len` tokens and steps of `slots` micro-batches."""
    return [
        ("curriculum.lengths must divide data.seq_len", all(seq_len % length == 0 for length in c.lengths)),
        ("curriculum.slots must be at most data.slots", all(count <= slots for count in c.slots)),
        *_begins("lengths", c.lengths, "length_starts", c.length_starts),
        *_begins("slots", c.slots, "slot_starts", c.slot_starts),
    ]


def _begins(name: str, stages: tuple[int, ...], starts_name: str, starts: tuple[float, ...]) -> list[tuple[str, bool]]:
    rising = all(early < late for early, late in zip(starts, starts[1:], strict=False))
    return [
        (f"curriculum.{starts_name} must hold one number per stage of curriculum.{name}", len(starts) == len(stages)),
        (f"curriculum.{starts_name} must rise from 0", starts[:1] in ((), (0.0,)) and rising),
    ]
