"""Launch commands are read from code blocks, scripts and logs with the environment and arguments that they set."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pgolf_check.submission.commands import in_log, in_readme, in_script

README = """# Title
```bash
export A=1 B="two words"
C=3
for SEED in 42 314; do
  SEED=$SEED D=${D:-7} E=$C F=$UNSET \\
    torchrun --standalone --nproc_per_node=8 ./train_gpt.py --flag x 2>&1 | tee log_$SEED.txt
done
```
Run `A=9 python3 other.py` too.
```
HOST=<your-host> K=1 env Z=2 timeout 600 python -u sub/train.py > out.log
```
"""


def test_readme_blocks() -> None:
    first, second = in_readme("README.md", README)
    assert (first.script, first.location.line, first.arguments) == ("train_gpt.py", 6, ("--flag", "x"))
    assert dict(first.environment) == {"A": "1", "B": "two words", "SEED": "42", "D": "7", "E": "3"}
    assert (second.script, dict(second.environment), second.arguments) == ("sub/train.py", {"K": "1", "Z": "2"}, ())


def test_blocks_do_not_share_variables() -> None:
    _, second = in_readme("r", "```\nexport A=1\npython a.py\n```\n```\npython b.py\n```\n")
    assert dict(second.environment) == {}


def test_inline_code_counts_only_without_blocks() -> None:
    assert [c.script for c in in_readme("r", "Run `A=9 python3 other.py` now")] == ["other.py"]


def test_launchers() -> None:
    text = "python -m torch.distributed.run --nproc_per_node 8 a.py x\npython -m pack.mod --y\npython -c 'print(1)'\nbash -c 'A=1 torchrun b.py'\n./c.py\n"
    assert [(c.script, c.arguments) for c in in_script("run.sh", text)] == [
        ("a.py", ("x",)),
        ("pack/mod.py", ("--y",)),
        ("b.py", ()),
        ("c.py", ()),
    ]


def test_log() -> None:
    found = in_log("x.log", [(1, "hello"), (2, "+ SEED=1 torchrun --nproc_per_node=8 train_gpt.py")])
    assert found is not None
    assert (found.location.line, found.script, dict(found.environment)) == (2, "train_gpt.py", {"SEED": "1"})


@given(st.text(max_size=200))
def test_any_text_is_answered(text: str) -> None:
    in_readme("r", "```\npython a.py " + text)
    in_script("s", "A=" + text + "\ntorchrun a.py")
