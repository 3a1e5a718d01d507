"""Techniques in whole runs: trained, exported, read back, scored."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from corpora import VOCAB, prepared
from runs import brisk
from toys import random_model, random_tokens, small, toy_vocabulary

from pgolf_ref.config import Config, load_recipe
from pgolf_ref.config.scale import tiny
from pgolf_ref.data.dataset import open_dataset
from pgolf_ref.distributed import World
from pgolf_ref.errors import ConfigError
from pgolf_ref.quant.artifact import export_model, load_model
from pgolf_ref.run import run_seed, score_with_ttt, with_seed

EMBEDDING = (
    "model.embedding.dim=12",
    "model.embedding.hash.rows=64",
    "model.embedding.hash.dim=8",
    "model.embedding.hash.orders=[2, 3]",
    "model.embedding.hash.word_start_boost=true",
    "model.embedding.hash.byte_rows=32",
    "model.embedding.smear=token",
    "model.embedding.smear_window=4",
    "model.embedding.isolate=true",
    "model.embedding.type_dim=4",
    "model.embedding.memory_tokens=2",
    "model.embedding.init_tokens=500",
    "model.embedding.init=svd",
    "model.head.low_rank=2",
    "model.head.bias=true",
    "model.head.unigram_bias=true",
    "model.head.count_bias=true",
    "model.head.softcap_form=poly5",
)
MODEL = (
    "model.layers=4",
    "model.matrix_init=orthogonal",
    "model.attention.xsa_last=3",
    "model.attention.xsa_form=scaled",
    "model.attention.rope_dims=2",
    "model.attention.value_residual=cascade",
    "model.attention.x0_value=0.3",
    "model.attention.value_embedding_layers=[2]",
    "model.attention.value_embedding_dim=4",
    "model.attention.gate=output",
    "model.attention.documents=true",
    "model.attention.max_document=8",
    "model.block.mlp_widths=[16, 24, 16, 8]",
    "model.block.activation=leaky_relu2",
    "model.block.skip_gates=true",
    "model.block.canon=both",
    "model.block.parallel=improved",
    "model.block.parallel_from=3",
    "model.recurrence.loops=2",
    "model.recurrence.first=1",
    "model.recurrence.last=2",
    "model.recurrence.starts=[0.3, 0.6]",
    "model.recurrence.untied_mlp=true",
    "model.recurrence.pass_embedding=true",
    "model.recurrence.film=true",
    "model.recurrence.reinject=true",
)
LOSSES = (
    "losses.word_start_weight=1.5",
    "losses.word_start_weight_initial=0.1",
    "losses.word_start_ramp=0.5",
    "losses.label_smoothing=0.05",
    "losses.mtp_heads=1",
    "losses.next_word_weight=0.1",
    "losses.word_start_head_weight=0.1",
    "losses.jepa_weight=0.1",
)


def test_an_artifact_gives_back_a_model_with_every_technique() -> None:
    """Exporting what was read back gives the same bytes, and its model computes with those weights."""
    config = small(*EMBEDDING, *MODEL)
    data = export_model(random_model(config), config)
    loaded = load_model(data)
    assert export_model(loaded, config) == data
    loaded.use_vocabulary(toy_vocabulary(40))
    again = load_model(data)
    again.use_vocabulary(toy_vocabulary(40))
    tokens = random_tokens(config)
    with torch.no_grad():
        assert torch.equal(loaded(tokens), again(tokens))


def test_a_run_with_every_technique_is_trained_and_scored(tmp_path: Path) -> None:
    """All at once; the auxiliary heads are not in the artifact, whose score is the claim."""
    config = brisk(*EMBEDDING, *MODEL, *LOSSES, "ttt.hash_rows=32")
    result = run_seed(with_seed(config, 3, config.data.path), "# script", tmp_path, World.single())
    assert 0 < result.val_bpb < 20
    names = {name for name, _ in load_model((tmp_path / "model_seed3.pgolf").read_bytes()).named_parameters()}
    assert "head.unigram" in names and not any("multi_token" in name or "evaluation" in name for name in names)


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("caseops", ("ttt.phases=[2, 4]",), ("final_int6_brotli_roundtrip ", "final_int6_ttt ")),
        ("ternary", (), ("temperature:", "final_ternary_lzma_roundtrip ", "final_ternary_sliding_window ")),
    ],
)
def test_a_recipe_goes_from_data_to_its_score(name: str, settings: tuple[str, ...], told: tuple[str, ...], tmp_path: Path) -> None:
    """At its tiny scale, in every way that it is scored; adapters per document and weights between phases learn in time."""
    config = tiny(load_recipe(name, [f"model.vocab_size={VOCAB}", f"data.path={prepared()}", *settings]))
    adapters = replace(config.ttt.lora, chunk_tokens=64, batch_documents=64)
    config = replace(config, run=replace(config.run, steps=2), ttt=replace(config.ttt, lora=adapters))
    result = run_seed(with_seed(config, 3, config.data.path), "# script", tmp_path, World.single())
    lines = (tmp_path / "train_seed3.log").read_text(encoding="utf-8").splitlines()
    assert [start for start in told if any(line.startswith(start) for line in lines)] == list(told)
    assert 0 < result.val_bpb < 20


def test_the_evaluation_hash_takes_part_in_test_time_training() -> None:
    """With it the score after the first chunk differs; without an epoch it changes nothing."""
    dataset = open_dataset(prepared(), VOCAB)

    def bits(*overrides: str) -> float:
        config: Config = brisk(*overrides)
        model = random_model(config).float()
        return score_with_ttt(model, dataset, config, World.single()).total().bpb

    assert bits("ttt.lr=0.01") != bits("ttt.lr=0.01", "ttt.hash_rows=64")
    assert bits("ttt.lr=0.0") == bits("ttt.lr=0.0", "ttt.hash_rows=64")


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("model.embedding.smear=sideways", "model.embedding.smear must be one of none, channel, token"),
        ("model.embedding.hash.orders=[2, 2]", "distinct numbers from 1 to 5"),
        ("model.embedding.hash.dims=[8, 8]", "one positive number per separate table"),
        ("model.embedding.memory_tokens=12", "less than data.seq_len"),
        ("model.head.low_rank=17", "from 0 to model.dim"),
        ("losses.jepa_weight=0.1", "needs the hash embeddings"),
        ("losses.word_start_weight_initial=0.1", "needs losses.word_start_ramp"),
        ("losses.label_smoothing=1.0", r"in \[0, 1\)"),
    ],
)
def test_impossible_settings_are_refused(override: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        small(override)
