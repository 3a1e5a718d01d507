"""What a block is made of, and how blocks are joined. Zero, "none", false or an empty list switches a technique off."""

from dataclasses import dataclass

from pgolf_ref.config.attention import distinct
from pgolf_ref.config.checks import choices, ranges

PREFIX = "model.block"
ACTIVATIONS = ("relu2", "leaky_relu2", "relu", "gelu", "silu", "sigmoid_gate")
PARALLEL = ("none", "gptj", "split", "two_lane", "improved")
LANES = ("split", "two_lane", "improved")  # forms with two residual streams
SKIPS = ("unet", "none")
SKIP_NORMS = ("none", "before", "after")
CANON = ("none", "attention", "mlp", "both")


@dataclass(frozen=True, slots=True)
class BlockConfig:
    """The defaults are the official baseline."""

    activation: str = "relu2"
    activation_cap: float = 0.0  # largest input of the activation
    mlp_widths: tuple[int, ...] = ()  # hidden channels of each block, 0 = no MLP; none = mlp_mult * dim for all
    drop_attention: tuple[int, ...] = ()  # blocks without attention
    drop_mlp: tuple[int, ...] = ()  # blocks without MLP
    residual_mix: bool = True  # x <- m0 x + m1 x0 before a block
    layer_scale: bool = False  # inputs of attention and MLP times 1 / sqrt(block + 1)
    skips: str = "unet"
    skip_gates: bool = False  # x <- lerp(w skip, x, sigmoid(g)) in place of x + w skip
    skip_norm: str = "none"  # RMS norm of the skip before it is added, or of the sum
    parallel: str = "none"  # attention and MLP side by side
    parallel_from: int = 0  # first block that does so
    canon: str = "none"  # a causal convolution over 4 positions after the norm before attention, MLP or both
    token_gate: bool = False  # a learned share of the block's change per token
    soft_gates: bool = False  # a learned share of the block's change per application
    stochastic_depth: float = 0.0  # probability that the last application is left out in training; a straight line leads to it


def problems(b: BlockConfig) -> list[str]:
    """Every value of the section that is none."""
    return [
        *ranges(
            PREFIX,
            b,
            {"0 or more": ("activation_cap", "mlp_widths", "parallel_from"), "in [0, 1)": ("stochastic_depth",)},
        ),
        *choices(
            PREFIX,
            b,
            {"activation": ACTIVATIONS, "skips": SKIPS, "skip_norm": SKIP_NORMS, "parallel": PARALLEL, "canon": CANON},
        ),
    ]


def block_rules(b: BlockConfig, layers: int) -> list[tuple[str, bool]]:
    """(what must hold, whether it holds) in a model of `layers` blocks."""
    partial = b.token_gate or b.soft_gates or b.stochastic_depth > 0
    return [
        (f"{PREFIX}.mlp_widths must be empty or hold one number per block", len(b.mlp_widths) in (0, layers)),
        (f"{PREFIX}.drop_attention must name distinct blocks", distinct(b.drop_attention, layers)),
        (f"{PREFIX}.drop_mlp must name distinct blocks", distinct(b.drop_mlp, layers)),
        (f"{PREFIX}.parallel_from must be a block", b.parallel == "none" or b.parallel_from < layers),
        (
            f"{PREFIX}.parallel={b.parallel} has no one residual for token_gate, soft_gates or stochastic_depth",
            not (b.parallel in LANES and partial),
        ),
    ]
