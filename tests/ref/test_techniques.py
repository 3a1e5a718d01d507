"""Every technique of attention and of blocks, switched on alone: what it adds, that it acts, and what it must not see."""

import pytest
import torch
from toys import random_model, random_tokens, small

from pgolf_ref.config import Config
from pgolf_ref.data.pieces import BOS
from pgolf_ref.model.gpt import GPT

LOOP = ("model.recurrence.loops=2", "model.recurrence.first=1", "model.recurrence.last=1")
LANES_FROM_1 = "model.block.parallel_from=1"

# Settings -> parameters that they add, by the last part of their names.
TECHNIQUES: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "diverse q_gain": (("model.attention.q_gain_last=2.5",), set()),
    "no QK norm": (("model.attention.qk_norm=false",), set()),
    "rope base per block": (("model.attention.rope_bases=[50000.0, 10.0]",), set()),
    "partial rope": (("model.attention.rope_dims=2",), set()),
    "no positions": (("model.attention.nope_layers=[0, 2]",), set()),
    "NTK": (("model.attention.rope_length=4",), set()),
    "YaRN": (("model.attention.yarn_scale=4.0",), set()),
    "XSA": (("model.attention.xsa_last=2",), set()),
    "scaled XSA": (("model.attention.xsa_last=3", "model.attention.xsa_form=scaled"), {"share"}),
    "cosine XSA": (("model.attention.xsa_last=3", "model.attention.xsa_form=cosine"), set()),
    "value residual, pair": (("model.attention.value_residual=pair",), {"mix"}),
    "value residual, sigmoid": (("model.attention.value_residual=sigmoid",), {"mix"}),
    "value residual, cascade": (("model.attention.value_residual=cascade",), {"mix"}),
    "x0 to V": (("model.attention.x0_value=0.3",), {"x0_scale"}),
    "value embedding": (
        ("model.attention.value_embedding_layers=[1, 2]", "model.attention.value_embedding_dim=4"),
        {"table", "projection", "scale", "layer_scales"},
    ),
    "bias gate": (("model.attention.gate=bias",), {"weight", "bias"}),
    "dense gate": (("model.attention.gate=dense",), {"weight"}),
    "output gate": (("model.attention.gate=output",), {"weight"}),
    "output gate of queries": (("model.attention.gate=output", "model.attention.gate_source=query"), {"weight"}),
    "sparse gate": (("model.attention.gate=sparse", "model.attention.gate_scale=0.5"), {"weight"}),
    "Canon": (("model.block.canon=both",), {"taps"}),
    "leaky relu squared": (("model.block.activation=leaky_relu2",), set()),
    "activation cap": (("model.block.activation_cap=0.2",), set()),
    "MLP widths": (("model.block.mlp_widths=[8, 0, 16]",), set()),
    "no attention in block 0": (("model.block.drop_attention=[0]",), set()),
    "no MLP in block 2": (("model.block.drop_mlp=[2]",), set()),
    "no residual mix": (("model.block.residual_mix=false",), set()),
    "layer scale": (("model.block.layer_scale=true",), set()),
    "no skips": (("model.block.skips=none",), set()),
    "skip gates": (("model.block.skip_gates=true",), {"gate"}),
    "norm before skip": (("model.block.skip_norm=before",), set()),
    "norm after skip": (("model.block.skip_norm=after",), set()),
    "parallel, GPT-J": (("model.block.parallel=gptj", LANES_FROM_1), set()),
    "parallel, split": (("model.block.parallel=split", LANES_FROM_1), {"merge"}),
    "parallel, two lanes": (("model.block.parallel=two_lane", LANES_FROM_1), {"write", "keep"}),
    "parallel, improved": (("model.block.parallel=improved", LANES_FROM_1), {"write", "keep"}),
    "token gate": (("model.block.token_gate=true",), {"token_gate", "token_gate_bias"}),
    "soft gates": (("model.block.soft_gates=true",), {"logits"}),
    "shared block": (("model.recurrence.sequence=[0, 1, 2, 2]",), set()),
    "loop": (LOOP, set()),
    "untied MLPs": ((*LOOP, "model.recurrence.untied_mlp=true"), {"up", "down"}),
    "pass embedding": ((*LOOP, "model.recurrence.pass_embedding=true"), {"embedding"}),
    "FiLM": ((*LOOP, "model.recurrence.film=true"), {"gamma", "beta"}),
    "timestep": ((*LOOP, "model.recurrence.timestep=true"), {"timestep"}),
    "norm per loop": ((*LOOP, "model.recurrence.loop_norm=true"), set()),
    "re-injection": ((*LOOP, "model.recurrence.reinject=true"), {"reinjected"}),
}
BASE = small()
WORDS = pytest.mark.parametrize("name", TECHNIQUES)


def configured(name: str, *more: str) -> Config:
    return small(*TECHNIQUES[name][0], *more)


@WORDS
def test_a_technique_adds_its_parameters_and_nothing_else(name: str) -> None:
    """Off it leaves no trace: all other names are those of the model without it."""
    model, plain = GPT(configured(name).model), GPT(BASE.model)
    names, plain_names = ({n for n, _ in m.named_parameters()} for m in (model, plain))
    assert {n.rpartition(".")[2] for n in names - plain_names} == TECHNIQUES[name][1]
    removed = {n.rpartition(".")[2] for n in plain_names - names}
    assert bool(removed) == (name in ("MLP widths", "no attention in block 0", "no MLP in block 2", "no residual mix", "no skips"))


@WORDS
def test_a_technique_acts(name: str) -> None:
    """With the weights of a model without it, as far as they fit, the logits are others."""
    loops = name != "loop" and set(LOOP) <= set(TECHNIQUES[name][0])
    plain, tokens = random_model(configured("loop") if loops else BASE), random_tokens(BASE)
    model = random_model(configured(name), seed=1)
    known = plain.state_dict()
    shared = {n: known[n] for n, w in model.state_dict().items() if n in known and known[n].shape == w.shape}
    if name == "diverse q_gain":
        shared = {n: w for n, w in shared.items() if not n.endswith("gain")}
    model.load_state_dict(shared, strict=False)
    with torch.no_grad():
        assert (model(tokens) - plain(tokens)).abs().max() > 1e-6


@WORDS
def test_logits_ignore_later_tokens(name: str) -> None:
    config = configured(name)
    model, tokens = random_model(config), random_tokens(config)
    for position in (0, 4, config.data.seq_len - 2):
        changed = tokens.clone()
        changed[:, position + 1 :] = (changed[:, position + 1 :] + 1) % config.model.vocab_size
        with torch.no_grad():
            before, after = model(tokens), model(changed)
        torch.testing.assert_close(after[:, : position + 1], before[:, : position + 1], rtol=0, atol=1e-12)
        assert (after[:, position + 1 :] - before[:, position + 1 :]).abs().max() > 1e-6


@WORDS
def test_documents_are_isolated(name: str) -> None:
    """The second document has the logits that it has alone, whatever the first one is."""
    config = configured(name, "model.attention.documents=true")
    model, start = random_model(config), 5
    tokens = random_tokens(config) % 30 + 4
    tokens[:, start] = BOS
    changed = tokens.clone()
    changed[:, :start] += 1
    with torch.no_grad():
        whole, other, alone = model(tokens)[:, start:], model(changed)[:, start:], model(tokens[:, start:])
    torch.testing.assert_close(other, whole, rtol=0, atol=1e-12)
    if name != "NTK":  # whose base depends on the length of the row
        torch.testing.assert_close(alone, whole, rtol=0, atol=1e-9)


def test_long_documents_are_cut() -> None:
    """Nothing reaches beyond max_document tokens."""
    config = small("model.attention.documents=true", "model.attention.max_document=4")
    model, tokens = random_model(config), random_tokens(config) % 30 + 4
    changed = tokens.clone()
    changed[:, :4] += 1
    with torch.no_grad():
        difference = (model(changed) - model(tokens)).abs().amax(dim=(0, 2))
    assert difference[:4].min() > 1e-6
    assert difference[4:].max() < 1e-12


TRANSPARENT = (
    "output gate",
    "Canon",
    "soft gates",
    "pass embedding",
    "FiLM",
    "timestep",
    "re-injection",
)


@pytest.mark.parametrize("name", TRANSPARENT)
def test_what_is_transparent_at_first(name: str) -> None:
    """A fresh model computes what one without the technique does, given the same other weights."""
    loop = LOOP if "model.recurrence.loops=2" in TECHNIQUES[name][0] else ()
    plain = random_model(small(*loop))
    model = GPT(configured(name).model).double()
    model.load_state_dict(plain.state_dict(), strict=False)
    tokens = random_tokens(BASE)
    with torch.no_grad():
        torch.testing.assert_close(model(tokens), plain(tokens), rtol=0, atol=1e-12)
