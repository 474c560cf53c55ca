from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simchain.events import TokensRefunded
from adapters.simchain.state import State
from adapters.simchain.store.stores import Stores
from hub.core.ids import ClientId

CLIENT = ClientId("07-tendermint-0")


def fresh() -> State:
    return State(Stores(("bank", "ibc")))


def test_change_is_seen_at_once_and_stands_in_the_store_after_commit() -> None:
    state = fresh()
    state.set("ibc", b"key", b"value")
    assert state.get("ibc", b"key") == b"value"
    assert state.get("bank", b"key") is None
    assert state.stores["ibc"].get(b"key") is None
    state.commit()
    assert state.stores["ibc"].get(b"key") == b"value"


def test_removed_key_is_gone_at_once_and_after_commit() -> None:
    state = fresh()
    state.set("ibc", b"key", b"value")
    state.commit()
    state.remove("ibc", b"key")
    assert state.get("ibc", b"key") is None
    assert state.stores["ibc"].get(b"key") == b"value"
    state.commit()
    assert state.stores["ibc"].get(b"key") is None


def test_key_made_and_removed_in_one_block_never_reaches_the_store() -> None:
    state = fresh()
    root, _ = state.commit()
    state.set("ibc", b"key", b"value")
    state.remove("ibc", b"key")
    again, _ = state.commit()
    assert again == root


def test_undo_restores_values_absences_and_events() -> None:
    state = fresh()
    state.set("ibc", b"old", b"1")
    state.commit()
    state.set("ibc", b"kept", b"2")
    state.events.append(TokensRefunded(CLIENT, 1))
    mark = state.mark()
    state.set("ibc", b"kept", b"3")
    state.set("ibc", b"new", b"4")
    state.remove("ibc", b"old")
    state.events.append(TokensRefunded(CLIENT, 2))
    state.undo(mark)
    assert [state.get("ibc", key) for key in (b"old", b"kept", b"new")] == [b"1", b"2", None]
    assert state.events == [TokensRefunded(CLIENT, 1)]


def test_commit_hands_out_the_events_of_its_block_only() -> None:
    state = fresh()
    state.events.append(TokensRefunded(CLIENT, 1))
    assert state.commit()[1] == [TokensRefunded(CLIENT, 1)]
    assert state.commit()[1] == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["set", "remove", "mark", "undo"]),
        st.sampled_from([b"a", b"b", b"c"]),
        st.sampled_from([b"1", b"2"]),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_marks_nest_as_copies_of_a_dict_would(steps: list[tuple[str, bytes, bytes]]) -> None:
    state = fresh()
    state.set("ibc", b"a", b"0")
    state.commit()
    now = {b"a": b"0"}
    marks = []
    for step, key, value in steps:
        if step == "set":
            state.set("ibc", key, value)
            now[key] = value
        elif step == "remove":
            state.remove("ibc", key)
            now.pop(key, None)
        elif step == "mark":
            marks.append((state.mark(), dict(now)))
        elif marks:
            mark, now = marks.pop()
            state.undo(mark)
        assert {k: state.get("ibc", k) for k in (b"a", b"b", b"c")} == {
            k: now.get(k) for k in (b"a", b"b", b"c")
        }
    state.commit()
    assert dict(state.stores["ibc"].items()) == now
