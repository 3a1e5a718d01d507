"""CaseOps loses nothing, and its sidecar counts the bytes of the original text."""

import functools
import io

import hypothesis.strategies as st
import numpy as np
import pytest
import sentencepiece
from hypothesis import given, settings

from pgolf_ref.data.caseops import MARKERS, CaseOpsError, decode, decode_document, encode, encode_document, original_bytes

F, A, N, E = MARKERS
TEXTS = st.text() | st.text(alphabet="abAB \u00c9\u00df" + "".join(MARKERS))


@given(text=TEXTS)
@settings(deadline=None)
def test_decoding_gives_the_text_back(text: str) -> None:
    encoded = encode(text)
    assert decode(encoded) == text
    assert not any("A" <= character <= "Z" for character in encoded)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("the cat", "the cat"),
        ("The cat", f"{F}the cat"),
        ("I am", f"{F}i am"),
        ("NASA's", f"{A}nasa's"),
        ("iPhone", f"i{N}phone"),
        ("McDonald", f"{F}mc{N}donald"),
        ("ABc", f"{F}a{N}bc"),
        ("A1B", f"{F}a1{F}b"),
        ("\u00c9A", f"\u00c9{F}a"),
        (f"A{F}B{E}", f"{F}a{E}{F}{F}b{E}{E}"),
    ],
)
def test_forms(text: str, encoded: str) -> None:
    assert encode(text) == encoded
    assert decode(encoded) == text


@given(text=st.text(alphabet="abA1" + "".join(MARKERS), max_size=8))
@settings(deadline=None)
def test_what_the_encoder_does_not_make_is_refused(text: str) -> None:
    """A text either is the encoding of what it decodes to, or raises."""
    try:
        decoded = decode(text)
    except CaseOpsError:
        return
    assert encode(decoded) == text


@pytest.mark.parametrize("text", ["A", F, f"{F}1", f"{A}a", f"{A}a1", f"a{F}b", f"{F}a{N}b", E, f"{E}a", f"{N}a"])
def test_misplaced_markers_are_refused(text: str) -> None:
    with pytest.raises(CaseOpsError, match="no CaseOps text"):
        decode(text)


@given(text=TEXTS)
@settings(deadline=None)
def test_the_bytes_of_an_encoded_text_are_those_of_the_text(text: str) -> None:
    assert original_bytes(encode(text)).sum() == len(text.encode("utf-8"))


@functools.cache
def tokenizer(normaliser: str = "identity") -> sentencepiece.SentencePieceProcessor:
    model = io.BytesIO()
    texts = [encode("The cat sat on the MAT; the iPhone of McDonald\n\tdid not.  Yes \u00e9")] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=310,
        byte_fallback=True,
        normalization_rule_name=normaliser,
        add_dummy_prefix=False,
        remove_extra_whitespaces=normaliser != "identity",
        user_defined_symbols=list(MARKERS),
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


@given(text=TEXTS.filter(lambda text: "\0" not in text))
@settings(deadline=None)
def test_the_sidecar_sums_to_the_bytes_of_the_document(text: str) -> None:
    ids, sidecar = encode_document(tokenizer(), text)
    assert len(ids) == len(sidecar) and ids[0] == 1 and sidecar[0] == 0
    assert sidecar.sum() == len(text.encode("utf-8"))
    assert decode_document(tokenizer(), ids) == text.replace("\u2581", " ")


def test_the_sidecar_token_by_token() -> None:
    """Markers are nothing, a letter is a byte, an escaped marker is three, a mark of a space is what the text has."""
    text = f"NASA {F}\u2581\u00e9"
    ids, sidecar = encode_document(tokenizer(), text)
    pieces = [tokenizer().id_to_piece(int(token)) for token in ids]
    by_piece = list(zip(pieces, sidecar.tolist(), strict=True))
    assert by_piece[:2] == [("<s>", 0), (A, 0)]
    assert (E, 0) in by_piece and (F, 3) in by_piece
    assert by_piece[-1] == ("\u2581\u00e9", 5)


@pytest.mark.parametrize(
    ("text", "complaint"), [("a  b", "for other text"), ("\ufb01", "for other text"), ("a ", "drops the last")]
)
def test_a_tokenizer_that_changes_the_text_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(CaseOpsError, match=complaint):
        encode_document(tokenizer("nmt_nfkc"), text)


def test_counts_are_per_byte() -> None:
    assert np.array_equal(original_bytes(f"{F}a{E}{F}"), [0, 0, 0, 1, 0, 0, 0, 1, 1, 1])
