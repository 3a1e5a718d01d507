"""A recipe shrunk until a CPU trains it in seconds: smaller in every dimension, with every switch as it was."""

from dataclasses import replace

from pgolf_ref.config.attention import AttentionConfig
from pgolf_ref.config.embedding import EmbeddingConfig
from pgolf_ref.config.evaluate import LoRAConfig
from pgolf_ref.config.model import ModelConfig
from pgolf_ref.config.root import Config

HEADS, HEAD_DIM, SEQ_LEN, ROWS, STEPS = 4, 16, 64, 2, 20
CALIBRATION_ROWS = 16
TERNARY_GROUP, TABLE_DIM, HASH_ROWS, WINDOW, STRIDE, LORA_RANK = 16, 8, 64, 12, 16, 4


def tiny(config: Config) -> Config:
    """The same techniques on 64 channels and rows of 64 tokens, for 20 steps without a limit of time, in float32."""
    data = replace(config.data, seq_len=SEQ_LEN, slots=2, batch_tokens=2 * ROWS * SEQ_LEN)
    run = replace(
        config.run, steps=STEPS, budget_seconds=0.0, dtype="float32", device="cpu", compile=False, warmup_steps=0, log_every=STEPS
    )
    sliding = config.evaluate.stride < config.data.seq_len
    evaluate = replace(config.evaluate, stride=STRIDE if sliding else SEQ_LEN, batch_windows=4)
    hashed = min(config.ttt.hash_rows, HASH_ROWS)
    ttt = replace(config.ttt, chunk_tokens=16 * SEQ_LEN, batch_rows=4, hash_rows=hashed, lora=_lora(config.ttt.lora))
    optim = replace(config.optim, warmdown_steps=_scaled(config.optim.warmdown_steps, STEPS / config.run.steps))
    curriculum = replace(
        config.curriculum,
        lengths=tuple(_scaled(length, SEQ_LEN / config.data.seq_len) for length in config.curriculum.lengths),
        slots=tuple(_scaled(slots, data.slots / config.data.slots) for slots in config.curriculum.slots),
    )
    model = _model(config.model)
    export = replace(config.export, calibration_rows=min(config.export.calibration_rows, CALIBRATION_ROWS), reserve_seconds=0.0)
    return replace(
        config, export=export, model=model, data=data, optim=optim, run=run, evaluate=evaluate, ttt=ttt, curriculum=curriculum
    )


def _scaled(count: int, shrink: float) -> int:
    """At least 1, unless it is 0."""
    return max(1, round(count * shrink)) if count else 0


def _lora(lora: LoRAConfig) -> LoRAConfig:
    return replace(lora, rank=min(lora.rank, LORA_RANK), chunk_tokens=min(lora.chunk_tokens, STRIDE), batch_documents=8)


def _model(m: ModelConfig) -> ModelConfig:
    dim, shrink = HEADS * HEAD_DIM, HEADS * HEAD_DIM / m.dim
    widths = tuple(round(width * shrink) for width in m.block.mlp_widths)
    return replace(
        m,
        vocab_size=min(m.vocab_size, 1024),
        dim=dim,
        heads=HEADS,
        kv_heads=max(1, HEADS * m.kv_heads // m.heads),
        ternary_group=min(m.ternary_group, TERNARY_GROUP),
        attention=_attention(m.attention, m.head_dim),
        block=replace(m.block, mlp_widths=widths),
        embedding=_embedding(m.embedding, shrink),
        head=replace(m.head, low_rank=min(m.head.low_rank, TABLE_DIM)),
    )


def _attention(a: AttentionConfig, head_dim: int) -> AttentionConfig:
    rotated = max(4, 2 * round(a.rope_dims * HEAD_DIM / head_dim / 2)) if a.rope_dims else 0
    return replace(
        a,
        rope_dims=rotated,
        rope_length=min(a.rope_length, SEQ_LEN // 2),
        value_embedding_dim=min(a.value_embedding_dim, TABLE_DIM),
        max_document=min(a.max_document, SEQ_LEN // 2),
    )


def _embedding(e: EmbeddingConfig, shrink: float) -> EmbeddingConfig:
    hashed = e.hash
    rows, byte_rows = min(hashed.rows, HASH_ROWS), min(hashed.byte_rows, HASH_ROWS)
    dims = tuple(min(dim, TABLE_DIM) for dim in hashed.dims)
    return replace(
        e,
        dim=round(e.dim * shrink),
        smear_window=min(e.smear_window, WINDOW),
        type_dim=min(e.type_dim, TABLE_DIM),
        memory_tokens=min(e.memory_tokens, SEQ_LEN // 8),
        init_tokens=min(e.init_tokens, 1024),
        hash=replace(hashed, rows=rows, dim=min(hashed.dim, TABLE_DIM), dims=dims, byte_rows=byte_rows),
    )
