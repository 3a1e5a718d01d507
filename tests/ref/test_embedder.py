"""Every technique of the input side, switched on alone: its formula, what it may look at, its absence when off, its gradients."""

import math

import pytest
import torch
from torch.nn import functional as F
from toys import CountingLoader, random_model, random_tokens, small, toy_vocabulary

from pgolf_ref.config import Config
from pgolf_ref.data.pieces import BOS
from pgolf_ref.data.vocabulary import Kind
from pgolf_ref.distributed import World
from pgolf_ref.errors import UserError
from pgolf_ref.losses.objective import Objective
from pgolf_ref.model.embedder import Embedder
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.hash_embedding import column_widths
from pgolf_ref.model.hashing import BYTE_FACTOR, FACTORS
from pgolf_ref.model.token_tables import ValueTable
from pgolf_ref.optim.groups import Optimizers
from pgolf_ref.registry import Group, registry

HASH = ("model.embedding.hash.rows=23", "model.embedding.hash.dim=8")
HASHES = {
    "bigram": HASH,
    "trigram": (*HASH, "model.embedding.hash.orders=[2, 3]"),
    "separate": (*HASH, "model.embedding.hash.orders=[2, 3]", "model.embedding.hash.layout=separate"),
    "separate widths": (
        *HASH,
        "model.embedding.hash.orders=[2, 3]",
        "model.embedding.hash.layout=separate",
        "model.embedding.hash.dims=[8, 5]",
    ),
    "columns": (*HASH, "model.embedding.hash.orders=[1, 2, 3]", "model.embedding.hash.layout=columns"),
    "five orders, two hashes": (*HASH, "model.embedding.hash.orders=[1, 2, 3, 4, 5]", "model.embedding.hash.heads=2"),
    "gate": (*HASH, "model.embedding.hash.heads=2", "model.embedding.hash.gate=true"),
    "position": (*HASH, "model.embedding.hash.position_conditional=true"),
    "boost": (*HASH, "model.embedding.hash.word_start_boost=true"),
    "after norm": (*HASH, "model.embedding.hash.place=after_norm"),
    "bytes": ("model.embedding.hash.byte_rows=29", "model.embedding.hash.byte_span=4", "model.embedding.hash.dim=8"),
}
SMEARS = {
    "channel smear": ("model.embedding.smear=channel",),
    "token smear": ("model.embedding.smear=token", "model.embedding.smear_window=5"),
}
PLAIN = {
    "projection": ("model.embedding.dim=12",),
    "wider projection": ("model.embedding.dim=20", "model.embedding.projection=before_norm"),
    "kinds": ("model.embedding.type_dim=4",),
    "memory": ("model.embedding.memory_tokens=3",),
    "untied projection": ("model.embedding.dim=12", "model.tied=false"),
}
LOOKING_BACK = HASHES | SMEARS
ALL = LOOKING_BACK | PLAIN


def config_of(name: str, *more: str) -> Config:
    return small(*ALL[name], *more)


def with_documents(config: Config, seed: int = 0) -> torch.Tensor:
    """Two rows, each with a BOS in the middle and one elsewhere."""
    tokens = random_tokens(config, seed=seed).clamp(min=3)
    tokens[:, 0] = tokens[0, 5] = tokens[1, 7] = BOS
    return tokens


def embedder_of(config: Config) -> Embedder:
    return random_model(config).embedding


# The formula, one position after the other


class Literal:
    """The embedding of one row of tokens, in Python numbers where it matters."""

    def __init__(self, embedder: Embedder, tokens: list[int]) -> None:
        self.e, self.c, self.tokens = embedder, embedder.config.embedding, tokens
        self.known = toy_vocabulary(embedder.config.vocab_size)

    def sees(self, t: int, distance: int) -> bool:
        return t >= distance and not (self.c.isolate and BOS in self.tokens[t - distance + 1 : t + 1])

    def index(self, t: int, order: int, head: int) -> int:
        h = self.c.hash
        if not self.sees(t, order - 1):
            return h.rows - 1
        mixed = 0
        for j in range(order):
            mixed ^= FACTORS[head][j] * self.tokens[t - j]
        index = mixed % (h.rows - 1)
        if h.position_conditional:
            half = (h.rows - 1) // 2
            index = index % half + (0 if self.known.word_start[self.tokens[t]] else half)
        return index

    def byte_index(self, t: int) -> int:
        h, text = self.c.hash, b""
        for j in range(h.byte_span):
            if self.sees(t, j):
                text = self.known.pieces[self.tokens[t - j]] + text
        text = text[-h.byte_span :]
        if len(text) < h.byte_span:
            return h.byte_rows - 1
        value = sum((byte + 1) * BYTE_FACTOR**i for i, byte in enumerate(reversed(text))) % 2**64
        return (value >> 20) % 2**40 % (h.byte_rows - 1)

    def hashed(self, t: int, embedded: torch.Tensor) -> torch.Tensor:
        h, total = self.c.hash, torch.zeros_like(embedded)
        for table in self.e.ngrams.tables if self.e.ngrams else ():
            found = []
            for order in table.orders:
                found.append(sum(table.table[self.index(t, order, head)] for head in range(h.heads)) / h.heads)
            if h.layout == "columns":
                widths = column_widths(h.dim, len(found))
                starts = [sum(widths[:i]) for i in range(len(widths))]
                vector = torch.cat([f[start : start + width] for f, start, width in zip(found, starts, widths, strict=True)])
            else:
                vector = sum(found)
            total = total + table.scale * (table.projection @ vector)
        if h.word_start_boost and self.known.word_start[self.tokens[t]]:
            total = total * self.e.ngrams.boost
        if h.gate:
            total = total / (1 + math.exp(-float(self.e.ngrams.gate @ embedded + self.e.ngrams.gate_bias)))
        if self.e.bytes:
            total = total + self.e.bytes.scale * (self.e.bytes.projection @ self.e.bytes.table[self.byte_index(t)])
        return total

    def early(self, t: int) -> torch.Tensor:
        """Before smear and norm."""
        x = self.e.table[self.tokens[t]]
        if self.c.hash.place == "before_norm":
            x = x + self.hashed(t, x)
        if self.e.kinds:
            x = x + self.e.kinds.scale * (self.e.kinds.projection @ self.e.kinds.table[int(self.known.kinds[self.tokens[t]])])
        return x

    def late(self, t: int) -> torch.Tensor:
        """After the norm, before the smear per channel."""
        x = self.early(t)
        if self.e.token_smear and self.sees(t, 1):
            smear = self.e.token_smear
            gate = 1 / (1 + math.exp(-float(smear.weight @ x[: self.c.smear_window])))
            x = x + smear.strength * gate * self.early(t - 1)
        if self.e.projection is not None and self.c.projection == "before_norm":
            x = self.e.projection @ x
        x = x / (x.square().mean() + torch.finfo(torch.float64).eps).sqrt()
        if self.e.projection is not None and self.c.projection == "after_norm":
            x = self.e.projection @ x
        return x + self.hashed(t, x) if self.c.hash.place == "after_norm" else x

    def row(self) -> torch.Tensor:
        rows = []
        for t in range(len(self.tokens)):
            x = self.late(t)
            if self.e.channel_smear:
                gate = 1 / (1 + torch.exp(-self.e.channel_smear.gate))
                x = (1 - gate) * x + (gate * self.late(t - 1) if self.sees(t, 1) else 0)
            rows.append(self.e.memory[t] if t < self.c.memory_tokens else x)
        return torch.stack(rows)


@pytest.mark.parametrize("isolate", ["false", "true"])
@pytest.mark.parametrize("name", ALL)
def test_embedding_is_what_the_formula_says(name: str, isolate: str) -> None:
    config = config_of(name, f"model.embedding.isolate={isolate}")
    embedder, tokens = embedder_of(config), with_documents(config)
    with torch.no_grad():
        expected = torch.stack([Literal(embedder, row).row() for row in tokens.tolist()])
        torch.testing.assert_close(embedder(tokens, torch.float64), expected)


# What it may look at


@pytest.mark.parametrize("name", ALL)
def test_logits_ignore_later_tokens(name: str) -> None:
    config = config_of(name)
    model, tokens = random_model(config), with_documents(config)
    for position in (0, 4, 8):
        changed = tokens.clone()
        changed[:, position + 1 :] = (changed[:, position + 1 :] + 1) % config.model.vocab_size
        with torch.no_grad():
            torch.testing.assert_close(model(changed)[:, : position + 1], model(tokens)[:, : position + 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_an_isolated_document_does_not_see_the_one_before(name: str) -> None:
    """Other tokens before BOS change nothing from BOS on; a document in the middle is embedded as it is at the start."""
    config = config_of(name, "model.embedding.isolate=true")
    embedder, tokens = embedder_of(config), with_documents(config)
    changed = tokens.clone()
    changed[0, :5] = torch.tensor([7, 8, 9, 10, 11])
    with torch.no_grad():
        before, after = embedder(tokens, torch.float64), embedder(changed, torch.float64)
        torch.testing.assert_close(after[0, 5:], before[0, 5:], rtol=0, atol=0)
        if name != "memory":
            alone = embedder(tokens[:1, 5:], torch.float64)
            torch.testing.assert_close(alone[0], before[0, 5:])


@pytest.mark.parametrize("name", sorted(LOOKING_BACK.keys()))
def test_without_isolation_the_document_before_is_seen(name: str) -> None:
    config = config_of(name)
    embedder, tokens = embedder_of(config), with_documents(config)
    changed = tokens.clone()
    changed[0, :5] = torch.tensor([7, 8, 9, 10, 11])
    with torch.no_grad():
        difference = embedder(tokens, torch.float64)[0, 5:] - embedder(changed, torch.float64)[0, 5:]
    assert difference.abs().max() > 1e-6


# Off, and fresh


def test_nothing_is_there_when_all_is_off() -> None:
    embedding = {name for name in registry(GPT(small().model)) if not name.startswith("blocks.")}
    assert embedding == {"embedding.table", "skips.weight"}


NEUTRAL = sorted({"bigram", "trigram", "separate", "columns", "boost", "after norm", "bytes", "position", "token smear", "kinds"})


@pytest.mark.parametrize("name", NEUTRAL)
def test_a_fresh_technique_changes_nothing_yet(name: str) -> None:
    """Beside a model without it, with the same weights otherwise: equal to the bit."""
    config = config_of(name)
    torch.manual_seed(0)
    plain, model = GPT(small().model), GPT(config.model)
    model.load_state_dict(plain.state_dict(), strict=False)
    model.use_vocabulary(toy_vocabulary(config.model.vocab_size))
    tokens = with_documents(config)
    with torch.no_grad():
        assert torch.equal(model.embedding(tokens, torch.float32), plain.embedding(tokens, torch.float32))


@pytest.mark.parametrize("name", ALL)
def test_every_parameter_gets_a_gradient_within_three_steps(name: str) -> None:
    """No dead branch: a table and a projection that both start at zero would never leave it."""
    config = config_of(name)
    torch.manual_seed(0)
    model = GPT(config.model).double()
    model.use_vocabulary(toy_vocabulary(config.model.vocab_size))
    objective = Objective(model, config.losses)
    optimizers = Optimizers(objective, config.optim, World.single())
    loader, had_gradient = CountingLoader(config), set()
    for step in range(3):
        objective(*loader.batch(step, 0), torch.zeros((), dtype=torch.float64)).backward()
        had_gradient |= {key for key, p in model.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
        optimizers.step(1.0, 0.9)
        optimizers.zero_grad()
    assert had_gradient == set(registry(model))


# Tables of their own


def test_isolated_smear_of_the_first_position_is_nothing() -> None:
    config = config_of("channel smear", "model.embedding.isolate=true")
    embedder, tokens = embedder_of(config), with_documents(config)
    with torch.no_grad():
        x = F.rms_norm(embedder.table[tokens], (config.model.dim,))
        gate = embedder.channel_smear.gate.sigmoid()
        torch.testing.assert_close(embedder(tokens, torch.float64)[0, 5], (1 - gate) * x[0, 5])


def test_the_evaluation_hash_starts_at_zero_and_learns() -> None:
    config = small()
    model, tokens = random_model(config), with_documents(config)
    with torch.no_grad():
        before = model(tokens)
    model.embedding.add_evaluation_hash(16)
    assert torch.equal(model(tokens), before)
    model.loss(tokens, tokens).backward()
    gradient = model.embedding.evaluation.table.grad
    pairs = {(previous * 2039 + token) % 16 for row in tokens.tolist() for previous, token in zip([0, *row[:-1]], row, strict=True)}
    assert {i for i in range(16) if gradient[i].abs().max() > 0} == pairs
    assert registry(model)["embedding.evaluation.table"].group is Group.EMBEDDING


def test_what_needs_the_vocabulary_says_so() -> None:
    config = config_of("kinds")
    with pytest.raises(UserError, match="needs the pieces of its tokenizer"):
        GPT(config.model)(random_tokens(config))
    with pytest.raises(UserError, match="has 30 pieces, the model's vocabulary 40"):
        GPT(config.model).use_vocabulary(toy_vocabulary(30))


def test_token_type_embedding_has_the_published_size() -> None:
    """7 classes of 16, a projection to 512 and a scale: 8,305 parameters."""
    model = GPT(small("model.dim=512", "model.embedding.type_dim=16").model)
    assert len(Kind) == 7
    assert sum(p.numel() for p in model.embedding.kinds.parameters()) == 8305


def test_value_embeddings_are_what_the_formula_says() -> None:
    """scale * P e(token): 0.1 and orthogonal at first, and every part is trained."""
    torch.manual_seed(0)
    table, tokens = ValueTable(40, 6, 8).double(), random_tokens(small())
    out = table(tokens, torch.float64)
    expected = [[0.1 * (table.projection @ table.table[token]) for token in row] for row in tokens.tolist()]
    torch.testing.assert_close(out, torch.stack([torch.stack(row) for row in expected]).to(torch.float64), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(table.projection.T @ table.projection, torch.eye(6, dtype=torch.float64), rtol=0, atol=1e-6)
    out.square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in table.parameters())
    assert {entry.group for entry in registry(table).values()} == {Group.EMBEDDING, Group.MATRIX, Group.SCALAR}
