"""Where the shards are and how they are cut."""

from dataclasses import dataclass

from pgolf_ref.config.checks import choices, ranges

ORDERS = ("shuffled", "sequential", "coprime", "documents")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """A step reads `batch_tokens` tokens in `slots` equal micro-batches."""

    path: str = "data"  # folder of the shards, the tokenizer and the edition
    tokenizer: str = ""  # its file, if it does not lie in that folder
    seq_len: int = 1024
    batch_tokens: int = 524_288
    order: str = "shuffled"  # of the windows: shuffled, sequential, coprime, or documents (packed)
    slots: int = 8  # dealt to the ranks as evenly as possible; gradients do not depend on how many there are

    @property
    def rows(self) -> int:
        """Sequences in one slot."""
        return self.batch_tokens // (self.slots * self.seq_len)


def problems(data: DataConfig) -> list[str]:
    """Every value of the section that is none."""
    return ranges("data", data, {"positive": ("seq_len", "batch_tokens", "slots")}) + choices("data", data, {"order": ORDERS})


def data_rules(data: DataConfig) -> list[tuple[str, bool]]:
    """(what must hold, whether it holds) between values."""
    unit = data.slots * data.seq_len
    message = f"data.batch_tokens ({data.batch_tokens}) must be a multiple of data.slots * data.seq_len ({unit})"
    return [(message, data.batch_tokens % unit == 0)]
