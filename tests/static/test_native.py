"""C read as text: which outputs of a function depend on the token at their own position."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgolf_check.static.lower import lower
from pgolf_check.static.native import read_native, strings_of

SOURCE = """
#include <stdint.h>
typedef struct {{ int last; const int *stream_; }} State;
static int look(State *s) {{ return s->last; }}
static void push(State *s, int token) {{ s->last = token; }}
static void put(int *out, int i, int value) {{ out[i] = value; }}
void keep(void *handle, const int *t) {{ ((State *)handle)->stream_ = t; }}
int f(void *handle, const int *tokens, const int *lut, int n, int *out, int *other) {{
    State *s = handle;
    for (int i = 1; i < n; i++) {{
        {body}
    }}
    return 0;
}}
"""
OUT, OTHER = 4, 5
GATED = {
    "at once": "out[i] = tokens[i];",
    "through a variable": "int t = tokens[i]; int kind = lut[t]; out[i] = kind + 1;",
    "under a condition": "int t = tokens[i]; if (lut[t]) { out[i] = 1; } else { other[i] = 0; }",
    "after leaving early": "if (lut[tokens[i]]) { push(s, 0); continue; } out[i] = 1;",
    "without braces": "if (lut[tokens[i]] > 3) out[i] = 1;",
    "as a choice": "out[i] = lut[tokens[i]] ? 1 : 0;",
    "through the state": "push(s, tokens[i]); out[i] = look(s);",
    "through a pointer": "int t = tokens[i]; s->last = t; out[i] = s->last;",
    "by a function": "put(out, i, tokens[i]);",
    "added": "out[i] += lut[tokens[i]];",
    "counted": "if (tokens[i] == 3) out[i]++;",
}
CAUSAL = {
    "the token before": "out[i] = tokens[i - 1];",
    "a gate on the token before": "int t = tokens[i]; int p = tokens[i - 1]; if (lut[p]) out[i] = 1; other[i] = p; push(s, t);",
    "state of the iteration before": "out[i] = look(s); push(s, tokens[i]);",
    "leaving early after the output": "out[i] = 1; if (lut[tokens[i]]) continue; push(s, 1);",
    "a variable used anew": "int t = tokens[i]; push(s, t); t = 3; other[i] = 0; out[i] = 2;".replace("push(s, t); ", ""),
    "comments": "/* out[i] = tokens[i]; */ out[i] = 1; // out[i] = tokens[i];\n",
}


@pytest.mark.parametrize("form", GATED)
def test_what_looks_at_its_own_token_is_gated(form: str) -> None:
    outcome = read_native(SOURCE.format(body=GATED[form])).outcome("f", frozenset({"tokens"}))
    assert outcome.reads
    assert OUT in outcome.gated
    assert OUT in outcome.written


@pytest.mark.parametrize("form", CAUSAL)
def test_what_looks_at_earlier_tokens_is_not(form: str) -> None:
    outcome = read_native(SOURCE.format(body=CAUSAL[form])).outcome("f", frozenset({"tokens"}))
    assert OUT in outcome.written
    assert not outcome.gated & {OUT, OTHER}


POWERS = (
    "static double mix(double p) {{ return exp(p); }} void f(const int *t, const int *lut, const double *nll, double *out) {{ {} }}"
)
LOOP = "for (int i = 0; i < 9; i++) {{ {} }}"


@pytest.mark.parametrize(
    ("body", "spreads"),
    [
        ("int n = lut[t[i]]; out[0] += mix(-nll[i] / (double)n);", True),
        ("double p = nll[i]; p /= lut[t[i]]; out[0] += mix(p);", False),
        ("out[0] += mix(nll[i] / 2.0);", False),
        ("int n = lut[t[i]]; out[0] += nll[i] / (double)n;", False),
    ],
)
def test_scores_divided_by_what_the_token_decides(body: str, spreads: bool) -> None:
    text = POWERS.format(LOOP.format(body))
    outcome = read_native(text).outcome("f", frozenset({"t"}), scores=frozenset({"nll"}))
    assert outcome.spreads is spreads


def test_arrays_kept_in_a_field_are_known_by_its_name() -> None:
    source = read_native(SOURCE.format(body="out[i] = s->stream_[i];"))
    assert source.fields_of("keep", 1) == {"stream_"}
    assert OUT in source.outcome("f", source.fields_of("keep", 1)).gated


def test_texts_in_scripts_are_found() -> None:
    source = SOURCE.format(body="")
    for literal in (f'r"""{source}"""', repr(source)):
        assert strings_of(lower(f"import ctypes as C\nSOURCE = {literal}\nlibrary = C.CDLL('a.so')\n")) == [source]


@given(st.text(alphabet="abif(){}[];=,+-*/\"'\\ \n<>?:", max_size=200))
def test_any_text_is_read(text: str) -> None:
    source = read_native("void f(int *tokens, int *out) {" + text + "}")
    for name in source.functions:
        source.outcome(name, frozenset({"tokens"}))
