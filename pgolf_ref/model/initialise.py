"""Initial weights that are computed from training tokens: unigram frequencies, co-occurrence embeddings, queries and keys.

Invariant: the result depends on the tokens that are given, the model and the seed alone; validation tokens never come here.
"""

import torch
from torch import Tensor

from pgolf_ref.config import ModelConfig
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.norm import rms_norm

WINDOW = 4  # tokens before a token that count as its context


def needs_tokens(config: ModelConfig) -> bool:
    """Whether a fresh model has to see training tokens before its first step."""
    return config.head.unigram_bias or config.embedding.init == "svd" or config.embedding.cooccurrence_qk


@torch.no_grad()
def initialise(model: GPT, tokens: Tensor, seed: int) -> None:
    """Set the weights that the configuration derives from `tokens`, int64 (rows, T)."""
    config = model.config
    if config.head.unigram_bias:
        model.head.unigram.copy_(log_frequencies(tokens, config.vocab_size))
    if config.embedding.init == "svd":
        table = model.embedding.table
        table.copy_(svd_embedding(tokens, config.vocab_size, table.size(1), config.embedding_std, seed))
    if config.embedding.cooccurrence_qk:
        attention = model.blocks[0].attention
        vectors = rms_norm(model.embedding.table.float())
        query, key = query_key_matrices(tokens, vectors, config)
        attention.query.copy_(query)
        attention.key.copy_(key)


def log_frequencies(tokens: Tensor, vocab_size: int) -> Tensor:
    """(V,): log((count + 1) / (n + V)), the frequencies with one occurrence added to each token."""
    counts = torch.bincount(tokens.flatten(), minlength=vocab_size).float() + 1
    return (counts / counts.sum()).log()


def cooccurrence(tokens: Tensor, vocab_size: int) -> Tensor:
    """(V, V): positive pointwise mutual information of a token (row) and one of the WINDOW tokens before it (column)."""
    pairs = torch.zeros(vocab_size * vocab_size, device=tokens.device)
    for distance in range(1, min(WINDOW, tokens.size(1) - 1) + 1):
        index = (tokens[:, distance:] * vocab_size + tokens[:, :-distance]).flatten()
        pairs += torch.bincount(index, minlength=vocab_size * vocab_size)
    joint = (pairs / pairs.sum()).view(vocab_size, vocab_size)
    expected = torch.outer(joint.sum(dim=1), joint.sum(dim=0))
    return torch.where(joint > 0, (joint / expected).log(), 0).clamp(min=0)


def svd_embedding(tokens: Tensor, vocab_size: int, dim: int, std: float, seed: int) -> Tensor:
    """(V, dim): U sqrt(S) of the truncated singular value decomposition of the co-occurrence, scaled to the wanted deviation.

    Columns beyond the rank are random, as a table without an initialisation is.
    """
    rank = min(dim, vocab_size)
    generator = torch.Generator(tokens.device).manual_seed(seed)
    table = torch.randn(vocab_size, dim, generator=generator, device=tokens.device) * std
    u, s, _ = torch.linalg.svd(cooccurrence(tokens, vocab_size), full_matrices=False)
    found = u[:, :rank] * s[:rank].sqrt()
    table[:, :rank] = found * (std / found.std().clamp(min=torch.finfo(found.dtype).tiny))
    return table


def query_key_matrices(tokens: Tensor, vectors: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Token vectors (V, d) -> query (d, d) and key (kv_dim, d) whose product scores a pair by its co-occurrence.

    The vectors are a random projection R of the vocabulary, so C is projected to R^T C R / V^2 = U S V^T (d, d). The components are
    dealt to the key-value heads in order; the query heads of a group share those of their key-value head.
    """
    projected = vectors.T @ cooccurrence(tokens, config.vocab_size) @ vectors / config.vocab_size**2
    u, s, v = torch.linalg.svd(projected)
    kv_dim = config.kv_heads * config.head_dim
    query, key = u.T * s.sqrt().unsqueeze(1), v * s.sqrt().unsqueeze(1)
    heads = query[:kv_dim].view(config.kv_heads, config.head_dim, -1)
    repeated = heads.repeat_interleave(config.heads // config.kv_heads, dim=0).flatten(0, 1)
    return repeated, key[:kv_dim]
