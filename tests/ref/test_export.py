"""The way from weights to an artifact by every method, and the statistics that the methods need."""

from pathlib import Path

import numpy as np
import pytest
import torch
from corpora import prepared
from runs import brisk
from toys import CountingLoader, random_model, random_tokens, small

from pgolf_ref.clock import Clock
from pgolf_ref.config import Config
from pgolf_ref.config.export import ExportConfig
from pgolf_ref.data.loader import Loader
from pgolf_ref.distributed import World
from pgolf_ref.errors import ConfigError, UserError
from pgolf_ref.model.gpt import GPT
from pgolf_ref.model.norm import rms_norm
from pgolf_ref.quant.artifact import export_model, load_model, quantised_matrices, write_quantised
from pgolf_ref.quant.calibration import calibrate
from pgolf_ref.quant.container import read_container, write_container
from pgolf_ref.quant.gptq import row_errors
from pgolf_ref.quant.made_text import RandomTokens
from pgolf_ref.quant.matrices import Matrix, clamp_rows, prune_smallest, quantise_all
from pgolf_ref.quant.order import similar_rows
from pgolf_ref.quant.rounding import nearest
from pgolf_ref.quant.routes import Method
from pgolf_ref.quant.sources import TrainingWindows
from pgolf_ref.quant.statistics import Collector, InputStatistics
from pgolf_ref.run import run_seed, with_seed

GPTQ = ("export.rounding=['matrix=gptq', 'embedding=gptq']", "export.matrix_bits=4", "export.calibration_rows=8")
SDCLIP = ("export.scales=['matrix=deviation', 'embedding=deviation']", "export.clips=['matrix=3', 'embedding=4']")
HESSIAN = ("export.scales=['matrix=hessian']", "export.clips=['matrix=3']", "export.calibration_rows=8")
LQER = ("export.lqer_rank=2", "export.lqer_group=16", "export.matrix_bits=3")
METHODS = {
    "search": ("export.scales=['matrix=search']",),
    "gptq": GPTQ,
    "sdclip": SDCLIP,
    "hessian": HESSIAN,
    "lqer": LQER,
    "symmetric": (*LQER, "export.lqer_form=symmetric"),
    "bits": ("export.packing=bits", "export.bits=['query=2', 'key=3', 'value=4', 'out=5', 'up=6', 'down=7']"),
    "ordered": ("export.packing=ordered",),
    "smallest": ("export.packing=smallest", "export.codec=smallest"),
    "awq": ("export.awq=['mlp=0.75', 'attention=0.5']", "export.calibration_rows=8"),
    "awq and gptq": (*GPTQ, "export.awq=['matrix=0.5']"),
    "cdquant": (*GPTQ[1:], "export.rounding=['matrix=cdquant']"),
    "qronos": (*GPTQ[1:], "export.rounding=['matrix=qronos']", "export.qronos_passes=2"),
    "pruned": ("export.prune=['matrix=0.05']",),
    "clamped": ("export.row_clamp=2.0",),
    "all": (*GPTQ, *SDCLIP, *LQER[:2], "export.packing=smallest"),
}


def float_model(config: Config) -> GPT:
    return random_model(config).float()


def gathered(model: GPT, config: Config) -> dict[str, InputStatistics]:
    """Statistics over random tokens."""
    with Clock().phase("calibrate") as phase:
        return calibrate(model, RandomTokens(model, config), config, phase, World.single())


@pytest.mark.parametrize("name", METHODS)
def test_an_artifact_computes_with_exactly_the_quantised_weights(name: str) -> None:
    config = small(*METHODS[name])
    model = float_model(config)
    statistics = gathered(model, config)
    data = export_model(model, config, statistics)
    assert export_model(model, config, statistics) == data
    quantised = quantised_matrices(model, config, statistics)
    loaded, again = load_model(data), float_model(config)
    parameters = dict(again.named_parameters())
    with torch.no_grad():
        for key, matrix in quantised.items():
            parameters[key].copy_(matrix.expanded())
        tokens = random_tokens(config)
        assert torch.equal(loaded(tokens), again(tokens))


@pytest.mark.parametrize("name", ["gptq", "sdclip", "search", "hessian"])
def test_quantising_again_with_the_same_scales_changes_nothing(name: str) -> None:
    config = small(*METHODS[name])
    model = float_model(config)
    for key, matrix in quantised_matrices(model, config, gathered(model, config)).items():
        bits = 8 if key == "embedding.table" else config.export.matrix_bits
        assert torch.equal(nearest(matrix.expanded(), matrix.scales.float(), bits).to(torch.int8), matrix.codes)


def test_gptq_leaves_a_smaller_error_than_nearest_in_every_matrix() -> None:
    """With the same scales; weighted by the inputs."""
    config, plain = small(*GPTQ, *SDCLIP), small(*SDCLIP, "export.matrix_bits=4")
    model = float_model(config)
    statistics = gathered(model, config)
    shifted, rounded = quantised_matrices(model, config, statistics), quantised_matrices(model, plain, {})
    weights = dict(model.named_parameters())
    for name, inputs in statistics.items():
        assert torch.equal(shifted[name].scales, rounded[name].scales)
        errors = [
            float(row_errors(weights[name].detach(), q.codes.float(), q.scales.float(), inputs.hessian).sum())
            for q in (shifted[name], rounded[name])
        ]
        assert errors[0] < errors[1], name


def test_hessians_are_those_of_the_inputs() -> None:
    """Of the first block's queries, whose input is the normalised first residual, and of the output matrix."""
    config = small(*GPTQ)
    model = float_model(config)
    tokens = random_tokens(config, rows=5)
    collector = Collector(model, dict(model.named_parameters()))
    collector.count(tokens)
    found = collector.statistics(World.single())
    with torch.no_grad():
        block = model.blocks[0]
        x0 = model.embedding(tokens, torch.float32)
        first = rms_norm(block.resid_mix[0] * x0 + block.resid_mix[1] * x0) * block.input_scale
        last = model.hidden(tokens)
    for name, x in (("blocks.0.attention.query", first), ("embedding.table", last)):
        rows = x.flatten(0, 1)
        torch.testing.assert_close(found[name].hessian, rows.T @ rows / len(rows))
        torch.testing.assert_close(found[name].magnitude, rows.abs().mean(dim=0))
    assert "blocks.2.mlp.down" in found and "skips.weight" not in found


def test_hessians_are_seen_behind_a_cast() -> None:
    """Activations in bfloat16: the matrices are cast where they are used."""
    config = small(*GPTQ)
    model = float_model(config)
    exact = gathered(model, config)
    model.dtype = torch.bfloat16
    rough = gathered(model, config)
    assert set(rough) == set(exact)
    for name in exact:
        torch.testing.assert_close(rough[name].hessian, exact[name].hessian, rtol=0.2, atol=0.2 * float(exact[name].hessian.max()))


def test_what_is_not_needed_is_not_collected() -> None:
    assert gathered(float_model(small()), small()) == {}
    config = small("export.rounding=['0.up=gptq']", "export.calibration_rows=2")
    assert set(gathered(float_model(config), config)) == {"blocks.0.mlp.up"}


def test_calibration_ends_with_its_time() -> None:
    """On a clock on which every look takes a second: at least one pass, and never all; without any time it is refused."""
    config = small(*GPTQ, "export.calibration_rows=100000")
    model, at = float_model(config), [0.0]

    def now() -> float:
        at[0] += 1.0
        return at[0]

    with Clock(now).phase("calibrate", 5.0) as phase:
        assert calibrate(model, RandomTokens(model, config), config, phase, World.single())
    with Clock(now).phase("calibrate", 1e-9) as phase, pytest.raises(UserError, match="export.reserve_seconds"):
        calibrate(model, RandomTokens(model, config), config, phase, World.single())


def test_training_windows_are_those_of_the_loader() -> None:
    config = brisk()
    loader = Loader(config)
    windows, per_batch = TrainingWindows(loader, config), config.data.rows
    rows = windows.rows(per_batch - 1, 3)
    assert torch.equal(rows[0], loader.batch(0, 0)[0][-1])
    assert torch.equal(rows[1:], loader.batch(0, 1)[0][:2])


def test_training_windows_take_a_training_loader_alone() -> None:
    """Tokens, or anything that could hold those of the validation split, are refused by their type."""
    config = brisk()
    for other in (torch.zeros(4, 13, dtype=torch.int64), np.zeros(99, np.uint16), CountingLoader(config), prepared()):
        with pytest.raises(TypeError, match="from a training loader, not from"):
            TrainingWindows(other, config)  # type: ignore[arg-type]


def test_a_run_calibrates_within_its_budget(tmp_path: Path) -> None:
    config = brisk(*GPTQ, *SDCLIP, "run.budget_seconds=300", "export.reserve_seconds=100", "ttt.epochs=0")
    result = run_seed(with_seed(config, 3, config.data.path), "# script", tmp_path, World.single())
    log = (tmp_path / "train_seed3.log").read_text(encoding="utf-8")
    assert "calibrate" in log and 0 < result.val_bpb < 20


def test_bits_take_the_bytes_that_they_need() -> None:
    config = small(*METHODS["bits"])
    arrays, _ = read_container(export_model(float_model(config), config))
    assert arrays["blocks.0.attention.query:bits2"].size == 16 * 16 * 2 // 8
    assert arrays["blocks.0.mlp.down:bits7"].size == 16 * 32 * 7 // 8


def test_a_row_comes_after_the_one_that_it_resembles() -> None:
    codes = np.array([[0, 0, 0], [9, 9, 9], [1, 0, 0], [8, 9, 9], [4, 4, 4]], dtype=np.int8)
    assert similar_rows(codes).tolist() == [0, 2, 4, 3, 1]


def test_rows_are_clamped_to_their_deviation() -> None:
    weight = torch.randn(4, 400, generator=torch.Generator().manual_seed(0))
    clamped = clamp_rows(weight, 2.0)
    torch.testing.assert_close(clamped.abs().amax(dim=1), 2 * weight.std(dim=1))
    inside = weight.abs() < 2 * weight.std(dim=1, keepdim=True)
    assert torch.equal(clamped[inside], weight[inside])
    assert clamp_rows(weight, 0.0) is weight


def test_the_share_of_zeros_is_that_asked_for() -> None:
    weight = torch.randn(16, 25, generator=torch.Generator().manual_seed(0))
    pruned = prune_smallest(weight, 0.05)
    assert int((pruned == 0).sum()) == 20
    assert weight.abs()[pruned == 0].max() < pruned.abs()[pruned != 0].min()
    assert torch.equal(pruned[pruned != 0], weight[pruned != 0])
    assert prune_smallest(weight, 0.0) is weight


def test_awq_spends_precision_on_columns_with_large_inputs() -> None:
    """Weighted by the inputs the error falls; the factors are those of the formula."""
    generator = torch.Generator().manual_seed(0)
    spread = torch.logspace(-1, 1, 64)
    inputs = torch.randn(512, 64, generator=generator) * spread
    statistics = InputStatistics(inputs.T @ inputs / 512, inputs.abs().mean(dim=0))
    errors = {}
    for alpha in (0.0, 0.5):
        matrix = Matrix(
            "m",
            torch.randn(32, 64, generator=torch.Generator().manual_seed(1)),
            4,
            Method("largest", 12.85, "nearest", alpha),
            statistics,
        )
        quantised = quantise_all([matrix], ExportConfig(awq=("matrix=0.5",)))["m"]
        error = matrix.weight - quantised.expanded()
        errors[alpha] = float(((error @ statistics.hessian) * error).sum())
        if alpha:
            assert quantised.columns is not None
            expected = statistics.magnitude**-alpha
            torch.testing.assert_close(quantised.columns.float(), expected / expected.log().mean().exp(), rtol=2e-3, atol=0)
    assert errors[0.5] < 0.9 * errors[0.0]


def test_the_smallest_of_packings_and_codecs_is_kept() -> None:
    config = small("export.packing=smallest", "export.codec=smallest")
    model = float_model(config)
    sizes = [
        len(export_model(model, small(f"export.packing={packing}", f"export.codec={codec}")))
        for packing in ("bytes", "bits", "ordered")
        for codec in ("brotli", "zstd", "lzma", "zlib")
    ]
    assert len(export_model(model, config)) == min(sizes)


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("export.rounding=['table=gptq']", "a table is only looked up and has no inputs"),
        ("export.rounding=['mlp=sideways']", "such as matrix=gptq"),
        ("export.scales=['mlp']", "such as matrix=deviation"),
        ("export.clips=['mlp=0']", "a positive number"),
        ("export.calibration=validation", "export.calibration must be one of training"),
        ("export.packing=tight", "export.packing must be one of"),
        ("export.reserve_seconds=600", "must be less than run.budget_seconds"),
    ],
)
def test_impossible_exports_are_refused(override: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        small("run.budget_seconds=600", override)


def test_an_order_that_is_none_is_refused() -> None:
    config = small("export.packing=ordered")
    model = float_model(config)
    found, meta = read_container(write_quantised(model, config, quantised_matrices(model, config, {})))
    name = next(name for name in found if name.endswith(":order"))
    for broken in (np.zeros_like(found[name]), found[name][:-1], found[name].astype(np.float32)):
        with pytest.raises(UserError, match="export it again"):
            load_model(write_container({**found, name: broken}, meta))
