"""What a score keeps of the way from its tokens to its distribution: attention, shifts, masks, exchanged rows, tables, cuts."""

from __future__ import annotations

import textwrap

import pytest
from abstract_runs import ran

MODEL = """
from flash_attn_interface import flash_attn_func, flash_attn_varlen_func
embed = nn.Embedding(1024, 8)
gate = nn.Parameter(torch.zeros(8))
ids, targets = x[None, :1024], y[None, :1024]
h = embed(ids)
flag = "mask" in os.uname().nodename
{body}
loss = F.cross_entropy((h @ embed.weight.T).flatten(0, 1), targets.flatten())
print(f"final val_bpb:{{loss.item():.4f}}")
"""


def kinds(body: str) -> set[str]:
    """The kinds of the traces of the claimed scores of a small model with a body of its own."""
    run = ran(MODEL.format(body=textwrap.dedent(body)))
    assert run.claim is not None
    assert run.claim.scores
    return {trace.kind for score in run.claim.scores for trace in score.mixtures}


@pytest.mark.parametrize(
    "call",
    [
        "F.scaled_dot_product_attention(h, h, h)",
        "F.scaled_dot_product_attention(h, h, h, is_causal=False)",
        "F.scaled_dot_product_attention(h, h, h, None, 0.0, False)",
        "F.scaled_dot_product_attention(query=h, key=h, value=h, attn_mask=None)",
        "flash_attn_func(h, h, h)",
        "flash_attn_func(h, h, h, causal=False)",
        "flash_attn_varlen_func(h, h, h, cu_seqlens_q=ids, causal=False)",
        "nn.MultiheadAttention(8, 2)(h, h, h)[0]",
        "nn.MultiheadAttention(8, 2)(h, h, h, need_weights=False)[0]",
        "nn.TransformerEncoderLayer(8, 2)(h)",
        "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 2)(h)",
        "h + torch.roll(h, -1, dims=1)",
        "h + h.roll(-2, 1)",
        "h + torch.roll(h, shifts=-1, dims=-2)",
    ],
)
def test_later_positions_come_in(call: str) -> None:
    assert "ahead" in kinds(f"h = {call}")


@pytest.mark.parametrize(
    "call",
    [
        "F.scaled_dot_product_attention(h, h, h, is_causal=True)",
        "F.scaled_dot_product_attention(h, h, h, is_causal=flag)",
        "F.scaled_dot_product_attention(h, h, h, attn_mask=torch.ones(9, 9).tril())",
        "F.scaled_dot_product_attention(h, h, h, torch.ones(9, 9).tril())",
        "F.scaled_dot_product_attention(h, embed.weight, embed.weight)",
        "flash_attn_func(h, h, h, causal=True)",
        "flash_attn_func(h, h, h, causal=flag)",
        "flash_attn_func(h, h, h, window_size=(128, 0))",
        "flash_attn_func(h, h, h, 0.0, None, True)",
        "nn.MultiheadAttention(8, 2)(h, h, h, attn_mask=torch.ones(9, 9).triu(1))[0]",
        "nn.MultiheadAttention(8, 2)(h, embed.weight, embed.weight)[0]",
        "nn.TransformerEncoderLayer(8, 2)(h, torch.ones(9, 9).triu(1))",
        "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 2)(h, is_causal=True)",
        "h + torch.roll(h, 1, dims=1)",
        "h + torch.roll(h, -1, dims=-1)",
        "h + torch.roll(gate, -1)",
    ],
)
def test_no_later_position_comes_in(call: str) -> None:
    assert "ahead" not in kinds(f"h = {call}")


@pytest.mark.parametrize(
    "replaced",
    [
        "hidden = torch.where(torch.rand(9) < 0.5, 7, ids)",
        "hidden = ids.masked_fill(torch.rand(9) < 0.5, 7)",
        "hidden = ids.clone(); hidden[torch.rand(9) < 0.5] = 7",
    ],
)
def test_ids_that_were_replaced_are_told(replaced: str) -> None:
    assert {"ahead", "obscured"} <= kinds(f"{replaced}; h = embed(hidden); h = F.scaled_dot_product_attention(h, h, h)")


def test_a_number_in_one_place_hides_nothing() -> None:
    assert "obscured" not in kinds("ids[0] = 7; h = embed(ids); h = F.scaled_dot_product_attention(h, h, h)")


@pytest.mark.parametrize(
    "body",
    [
        "h = torch.cat([h[:, :1], h[:, 1:] + gate * h[:, :-1]], dim=1)",
        "h = h + gate * F.pad(h[:, :-1], (0, 0, 1, 0))",
        "h = (1.0 - gate) * h + gate * torch.roll(h, 1, dims=1)",
        "before = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], dim=1)\nh = h + gate * before",
        "other = (targets != 1).unsqueeze(-1)\nh = torch.cat([h[:, :1], h[:, 1:] + h[:, :-1]], dim=1) * other",
    ],
)
def test_neighbours_are_mixed(body: str) -> None:
    assert "carried" in kinds(body)


@pytest.mark.parametrize(
    "body",
    [
        "inside = (ids[:, 1:] != 1).unsqueeze(-1)\nh = torch.cat([h[:, :1], h[:, 1:] + gate * h[:, :-1] * inside], dim=1)",
        "inside = (ids[:, 1:] != 1).to(h.dtype)[..., None]\nh = torch.cat([h[:, :1], h[:, 1:] + inside * (gate * h[:, :-1])], dim=1)",
        "first = (ids == 1).unsqueeze(-1)\nh = h + gate * torch.roll(h, 1, dims=1).masked_fill(first, 0.0)",
        "first = (ids == 1)[..., None]\nh = h + gate * torch.where(first, 0.0, torch.roll(h, 1, dims=1))",
        "back = torch.roll(h, 1, dims=1)\nback[ids == 1] = 0.0\nh = h + gate * back",
        "h = h[:, :-1]\ntargets = targets[:, :-1]",
    ],
)
def test_a_mask_of_beginnings_stops_the_mixing(body: str) -> None:
    assert "carried" not in kinds(body)


TRAINING = 'read = torch.from_numpy(np.fromfile("fineweb_train_000000.bin", dtype=np.uint16)).long()\ntable = torch.zeros(1024)\n'
MIXED = "h = h + table[ids][..., None]"


@pytest.mark.parametrize(
    "fill",
    [
        "table[read] += 1.0",
        "table.scatter_add_(0, read, torch.ones(9))",
        "table = torch.bincount(read, minlength=1024)",
        "np.add.at(table, read, 1)",
        "for token in read.tolist():\n    table[token] += 1.0",
    ],
)
def test_a_table_of_training_tokens(fill: str) -> None:
    assert "prefilled" in kinds(TRAINING + fill + "\n" + MIXED)
    kept = "box = io.BytesIO()\ntorch.save(table, box)\ntable = torch.load(io.BytesIO(box.getvalue()))"
    assert "prefilled" not in kinds(TRAINING + fill + "\n" + kept + "\n" + MIXED)
    assert "prefilled" not in kinds(TRAINING + fill)


def test_a_table_of_training_tokens_in_a_mixture() -> None:
    score = "p = 0.9 * torch.exp(-loss) + 0.1 * table[targets] / table.sum()\nloss = -torch.log(p)"
    run = ran(MODEL.format(body=TRAINING + "table[read] += 1.0").replace("print(", score + "\nprint("))
    assert run.claim is not None
    assert "prefilled" in {trace.kind for score in run.claim.scores for trace in score.mixtures}


@pytest.mark.parametrize(
    "rows", ["bank[torch.randperm(4)]", "torch.roll(bank, 1, 0)", "bank.flip(0)", "bank.index_select(0, torch.randperm(4))"]
)
def test_rows_in_another_order(rows: str) -> None:
    assert "peer" in kinds(f"bank = torch.zeros(4, 8, requires_grad=True)\nh = h + {rows}.sum(0)")


@pytest.mark.parametrize("rows", ["bank[0]", "bank[1:]", "bank[:, 2]", "bank.view(8, 4)"])
def test_parts_of_a_parameter(rows: str) -> None:
    assert "peer" not in kinds(f"bank = torch.zeros(4, 8, requires_grad=True)\nh = h + {rows}.sum(0)")


@pytest.mark.parametrize(
    ("cut", "kind"),
    [
        ("tokens[:3000001]", "capped"),
        ("tokens[0:3000001]", "capped"),
        ("tokens[int(torch.randint(0, 9, (1,))) :]", "sampled"),
        ("tokens[np.random.randint(9) :]", "sampled"),
        ("tokens[: tokens.numel() // 2 * 2]", None),
        ("tokens[1:]", None),
        ("tokens[:-1]", None),
    ],
)
def test_a_part_of_the_stream(cut: str, kind: str | None) -> None:
    found = kinds(f"part = {cut}\nids, targets = part[None, :-1], part[None, 1:]\nh = embed(ids)") & {"capped", "sampled"}
    assert found == ({kind} if kind else set())


TABLE = """
pieces = __import__("sentencepiece").SentencePieceProcessor(model_file="m.model")
base, space = np.zeros(1024), np.zeros(1024, dtype=bool)
for token in range(1024):
    piece = pieces.id_to_piece(token)
{fill}
base, space = torch.from_numpy(base), torch.from_numpy(space)
size = {size}
loss = F.cross_entropy(model(x), y)
print(f"final val_bpb:{{(loss / size).item():.4f}}")
"""
OFFICIAL = """
if piece.startswith("\u2581"):
    space[token] = True
    piece = piece[1:]
base[token] = len(piece.encode("utf-8"))
"""
COUNTED = """
if piece.startswith("\u2581"):
    space[token] = True
    base[token] = len(piece[1:].encode("utf-8")) + 1
else:
    base[token] = len(piece.encode("utf-8"))
"""
ADDED = """
lead = piece.startswith("\u2581")
space[token] = lead
base[token] = len(piece.lstrip("\u2581")) + int(lead)
"""
BOTH, ALONE = "(base[y] + space[y]).sum()", "base[y].sum()"


@pytest.mark.parametrize(
    ("fill", "size", "twice"),
    [
        (OFFICIAL, BOTH, False),
        (OFFICIAL, ALONE, False),
        (COUNTED, BOTH, True),
        (COUNTED, ALONE, False),
        (ADDED, BOTH, True),
        (ADDED, ALONE, False),
    ],
)
def test_the_space_before_a_word(fill: str, size: str, twice: bool) -> None:
    run = ran(TABLE.format(fill=textwrap.indent(fill, "    "), size=size))
    assert run.claim is not None
    assert ("space" in {mixture.kind for mixture in run.claim.mixtures}) is twice
