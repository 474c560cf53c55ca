from __future__ import annotations

import copy
import pickle
from contextlib import contextmanager
from dataclasses import fields
from enum import StrEnum
from typing import TYPE_CHECKING

import pytest

from hub.core import errors
from hub.core.errors import DOMAIN, HubError, LeaseLost, Malformed, PacketInvalid, Reason, base

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = {"str": "some {text}", "int": -7}

LEAVES = [
    kind
    for name in errors.__all__
    if isinstance(kind := getattr(errors, name), type)
    and issubclass(kind, HubError)
    and "reason" in vars(kind)
]

CATEGORIES = [kind for kind in vars(base).values() if isinstance(kind, type)]
CATEGORIES = [kind for kind in CATEGORIES if issubclass(kind, HubError) and kind is not HubError]


def _sample(kind: type[HubError]) -> HubError:
    return kind(**{field.name: SAMPLES[str(field.type)] for field in fields(kind)})


@pytest.fixture(params=LEAVES, ids=lambda kind: kind.__name__)
def error(request: pytest.FixtureRequest) -> HubError:
    kind: type[HubError] = request.param
    return _sample(kind)


def test_the_text_is_the_template_filled_with_every_field(error: HubError) -> None:
    text = str(error)
    for field in fields(error):
        assert str(getattr(error, field.name)) in text.replace("'", "")


def test_the_metadata_are_all_fields_as_text(error: HubError) -> None:
    assert error.metadata == {f.name: str(getattr(error, f.name)) for f in fields(error)}


def test_an_error_travels_between_processes_whole(error: HubError) -> None:
    for other in (
        pickle.loads(pickle.dumps(error)),  # noqa: S301 - our own bytes
        copy.copy(error),
        copy.deepcopy(error),
    ):
        assert type(other) is type(error)
        assert other.metadata == error.metadata
        assert str(other) == str(error)


def test_an_error_passes_through_a_context_manager(error: HubError) -> None:
    @contextmanager
    def passing() -> Iterator[None]:
        yield

    with pytest.raises(type(error)) as caught, passing():
        raise error
    assert caught.value is error


def test_an_error_takes_notes_and_joins_groups(error: HubError) -> None:
    error.add_note("seen at the edge")
    assert error.__notes__ == ["seen at the edge"]
    group = ExceptionGroup("two at once", [error, ValueError("another")])
    matched, rest = group.split(type(error))
    assert matched is not None
    assert matched.exceptions == (error,)
    assert rest is not None


def test_an_error_is_equal_to_itself_alone(error: HubError) -> None:
    other = _sample(type(error))
    assert error == error  # noqa: PLR0124 - what is tested
    assert error != other
    assert len({error, other}) == 2


def test_an_error_stands_in_one_category(error: HubError) -> None:
    assert [kind for kind in CATEGORIES if isinstance(error, kind)] == [type(error).__base__]


def test_there_are_as_many_categories_as_the_tree_draws() -> None:
    drawn = [kind for kind in CATEGORIES if f"── {kind.__name__} " in (base.__doc__ or "")]
    assert len(CATEGORIES) == 11
    assert drawn == CATEGORIES


def test_a_category_says_what_the_caller_may_do() -> None:
    for kind in CATEGORIES:
        assert " ".join((kind.__doc__ or "").split()) in " ".join((base.__doc__ or "").split())


def test_fields_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        PacketInvalid("sequence", "is zero")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        PacketInvalid(field="sequence")  # type: ignore[call-arg]


def test_an_enum_reads_as_its_value() -> None:
    class Colour(StrEnum):
        RED = "RED"

    error = PacketInvalid(field=Colour.RED, problem="is red")
    assert error.metadata["field"] == "RED"
    assert str(error) == "packet field RED is red"


def test_an_error_is_caught_by_its_category() -> None:
    with pytest.raises(Malformed) as caught:
        raise PacketInvalid(field="sequence", problem="is zero")
    assert caught.value.reason is Reason.PACKET_INVALID
    assert str(LeaseLost(peer="peers/wuxi", epoch=3)) == "peers/wuxi: epoch 3 is over"


def test_the_domain_is_the_hubs() -> None:
    assert DOMAIN == "ydhub.cn"
