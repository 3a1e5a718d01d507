"""An independent reader of a ledger's replay: it shares no code with the ledger, and knows only what the schema says."""

import json


def read_replay(text: str) -> dict[int, set[int]]:
    """What each state has seen; AssertionError where the replay breaks an order that it promises."""
    stream, *events, total = [json.loads(line) for line in text.splitlines()]
    assert stream["event"] == "stream" and total["event"] == "total"
    seen: dict[int, set[int]] = {0: set()}
    scored: set[int] = set()
    nats, counted = 0.0, 0
    for event in events:
        positions = set(range(event["first"], event["end"]))
        assert positions and max(positions) < stream["tokens"] and min(positions) >= 1
        if event["event"] == "score":
            assert not positions & scored, "a position is scored twice"
            assert not positions & seen[event["state"]], "a state scores what it has seen"
            scored |= positions
            nats, counted = nats + event["nats"], counted + event["bytes"]
        else:
            assert positions <= scored, "a state learns from what is not scored yet"
            assert event["state"] not in seen, "a state is made twice"
            seen[event["state"]] = seen[event["before"]] | positions
    assert scored == set(range(1, stream["tokens"])), "a position is never scored"
    assert (total["tokens"], total["bytes"]) == (len(scored), counted) and abs(total["nats"] - nats) <= 1e-9 * abs(nats)
    return seen


def ends_trained(text: str) -> int:
    """The end of the last position that any state has seen."""
    return max((max(positions) + 1 for positions in read_replay(text).values() if positions), default=0)
