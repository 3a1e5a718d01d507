#!/usr/bin/env bash
# Measures the reference on one card, alone and in turns with the scripts that two recipes stand for, on the same shards:
# `naive` against the official script, `sp8192` against the script of PR 1493.
#
#   bench/gpu.sh OFFICIAL_SCRIPT PR1493_SCRIPT DATA_SP1024 DATA_SP8192 OUT
#
# The scripts are executed as they are; that of PR 1493 is the decoded one, in the grammar of this Python. Shards come from
# `pgolf-train prepare --published sp1024` and `sp8192`, or of text of one's own with the same sizes of vocabulary.
# OUT gets naive/ and sp8192/ with bench.md and bench.json each, and gpu.md, the page that lies in bench/.
#
# STEPS   counted steps of each program (100)
# SMALL   set: small shapes in float32, without compilation, for a machine without a GPU; both folders then have one vocabulary
# FLAGS   more flags for all runs, such as "--set run.seed_init=42"
# PYTHON  the interpreter (python)
set -euo pipefail

if [ $# -ne 5 ]; then
    echo "usage: bench/gpu.sh OFFICIAL_SCRIPT PR1493_SCRIPT DATA_SP1024 DATA_SP8192 OUT" >&2
    exit 2
fi
official=$1 pr1493=$2 data1024=$3 data8192=$4 out=$5
python=${PYTHON:-python}
root=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
read -ra flags <<<"${FLAGS:-}"

shape=() naive=(--set data.order=sequential) sp8192=()
if [ -n "${SMALL:-}" ]; then
    export CUDA_VISIBLE_DEVICES=
    for value in model.dim=128 model.heads=4 model.kv_heads=2 data.seq_len=256 data.batch_tokens=8192 evaluate.stride=256 \
        run.dtype=float32 run.device=cpu run.compile=false run.warmup_steps=0; do
        shape+=(--set "$value")
    done
    naive+=(--set model.layers=4)
    for value in model.vocab_size=1024 model.layers=5 model.attention.xsa_last=5 model.recurrence.first=1 model.recurrence.last=2 \
        model.block.parallel_from=3 ttt.chunk_tokens=256; do
        sp8192+=(--set "$value")
    done
    for value in XSA_LAST_N=5 LOOP_START=1 LOOP_END=2 PARALLEL_RESIDUAL_START=3 ROPE_TRAIN_SEQ_LEN=256; do
        sp8192+=(--env "$value")
    done
fi
sp8192+=(--env QK_GAIN_INIT=5.25)

measure() { # recipe, script, data, flags of the recipe ...
    local recipe=$1 script=$2 data=$3
    shift 3
    "$python" -m pgolf_ref bench --recipe "$recipe" --data "$data" --against "$script" --steps "${STEPS:-100}" \
        --out "$out/$recipe" "${shape[@]}" "$@" "${flags[@]}" >"$out/$recipe.log"
    echo "$out/$recipe/bench.md" >&2
}

mkdir -p "$out"
measure naive "$official" "$data1024" "${naive[@]}"
measure sp8192 "$pr1493" "$data8192" "${sp8192[@]}"

{
    echo "# The reference on a GPU"
    echo
    echo '`bench/gpu.sh OFFICIAL_SCRIPT PR1493_SCRIPT DATA_SP1024 DATA_SP8192 OUT`'
    echo
    if [ -z "${SMALL:-}" ]; then
        echo "On $(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader)."
    else
        echo "**No GPU was at hand.** What follows is the output on a CPU, with small shapes in float32: it shows that the commands run and"
        echo "what they tell. It says nothing of the time on a GPU."
    fi
    echo
    echo "\`naive\` reads the training stream from its beginning, as its script does, but for one token of overlap between micro-batches;"
    echo "\`sp8192\` and its script draw windows in orders of their own, so that their losses can be compared in the mean alone"
    echo "([same_weights.md](same_weights.md) compares them on the same batches)."
    for recipe in naive sp8192; do
        echo
        sed -e 's/^#/##/' "$out/$recipe/bench.md"
    done
} >"$out/.gpu.md.partial"
mv "$out/.gpu.md.partial" "$out/gpu.md"
echo "$out/gpu.md" >&2
