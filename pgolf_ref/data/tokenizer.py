"""The tokenizers of the challenge: SentencePiece BPE with its options, and the bytes themselves.

Invariants: ids 0 to 3 are pad, BOS, EOS and unknown; every text is encodable, by bytes where needed; a tokenizer is refused where
its number of pieces is not the expected one.
"""

import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from pgolf_ref.data import byte_tokenizer
from pgolf_ref.data.byte_tokenizer import ByteTokenizer
from pgolf_ref.data.pieces import BOS, EOS, PAD, UNKNOWN, Tokenizer
from pgolf_ref.errors import UserError

OF_BYTES = (0, 260)  # numbers of pieces that the tokenizer of bytes may have to have
SENTENCE_BYTES = 4000  # SentencePiece leaves out sentences of more than 4192 bytes


def tokenizer_name(vocab_size: int) -> str:
    """The file of a tokenizer that is made here: with no room for anything but bytes, that of bytes."""
    return "byte_tokenizer.json" if vocab_size == byte_tokenizer.VOCAB_SIZE else "tokenizer.model"


def train_tokenizer(texts: Iterable[str], vocab_size: int, markers: Sequence[str] = ()) -> bytes:
    """The serialised model. The same texts give the same bytes.

    The tokenizer of bytes needs no text. With `markers`, characters that are pieces of their own, the tokenizer normalises nothing, so that every byte is accounted for.
    """
    if vocab_size == byte_tokenizer.VOCAB_SIZE:
        return ByteTokenizer().serialized_model_proto()
    sentences = [sentence for text in texts for sentence in _sentences(text.replace("\0", " "))]
    model = io.BytesIO()
    try:
        # A list's iterator runs no Python code, so that an interrupt waits until the training is over.
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocab_size,
            character_coverage=0.999,
            byte_fallback=True,
            split_digits=True,
            normalization_rule_name="identity" if markers else "nmt_nfkc",
            remove_extra_whitespaces=not markers,
            user_defined_symbols=list(markers),
            add_dummy_prefix=False,
            pad_id=PAD,
            bos_id=BOS,
            eos_id=EOS,
            unk_id=UNKNOWN,
            hard_vocab_limit=False,
            minloglevel=2,
        )
    except RuntimeError as error:
        reason = str(error).rpartition("] ")[2] or "no text"
        raise UserError(f"no tokenizer of {vocab_size} pieces can be trained on this text: {reason}") from error
    trained = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    if trained.vocab_size() != vocab_size:
        raise UserError(
            f"the text gives {trained.vocab_size()} pieces, not {vocab_size}: give more text or a --vocab-size of at most that"
        )
    return model.getvalue()


def load_tokenizer(path: Path, vocab_size: int = 0) -> Tokenizer:
    """The tokenizer in a file; `vocab_size` is what it must have, 0 for any."""
    processor = _read(path, vocab_size)
    if vocab_size and processor.vocab_size() != vocab_size:
        raise UserError(
            f"{path} has {processor.vocab_size()} pieces, the recipe's model.vocab_size is {vocab_size}: "
            f"prepare data with --vocab-size {vocab_size} or set model.vocab_size"
        )
    if processor.bos_id() != BOS:
        raise UserError(f"{path} has BOS id {processor.bos_id()}; shards of the challenge need {BOS}")
    return processor


def encode(processor: Tokenizer, texts: Sequence[str]) -> list[NDArray[np.uint16]]:
    """Each text as a document: BOS and its ids."""
    encoded = processor.encode(list(texts), out_type=int, num_threads=os.cpu_count() or 1)
    return [np.array([BOS, *ids], dtype=np.uint16) for ids in encoded]


def _read(path: Path, vocab_size: int) -> Tokenizer:
    try:
        data = path.read_bytes()
        if vocab_size in OF_BYTES and path.suffix == ".json":
            return ByteTokenizer.read(data)
        processor: Tokenizer = sentencepiece.SentencePieceProcessor(model_proto=data)
        return processor
    except UserError as error:
        raise UserError(f"{path} holds {error}") from error
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path} is no SentencePiece model: {error}") from error


def _sentences(text: str) -> Iterable[str]:
    """Runs of whole lines of at most SENTENCE_BYTES; a longer line is left to SentencePiece, which skips it."""
    run: list[str] = []
    size = 0
    for line in text.splitlines(keepends=True):
        length = len(line.encode("utf-8"))
        if run and size + length > SENTENCE_BYTES:
            yield "".join(run)
            run, size = [], 0
        run.append(line)
        size += length
    if run:
        yield "".join(run)
