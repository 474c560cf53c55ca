"""One closed list of reasons: the enum, the contract on the wire and the classes agree."""

from __future__ import annotations

import re
from dataclasses import fields
from string import Formatter

import pytest
from ydhub.errors.v1 import reason_pb2

from hub.core import errors
from hub.core.errors import HubError, Reason
from tests.harness.source_tree import ROOT, import_everything

BUG = Reason.INTERNAL
"""A bug of ours is no expected failure and has no class."""

PROTO = ROOT / "protos/ydhub/errors/v1/reason.proto"


def leaves(kind: type[HubError] = HubError) -> list[type[HubError]]:
    """Every class of the error tree that stands for a reason."""
    below = [leaf for child in kind.__subclasses__() for leaf in leaves(child)]
    return below or [kind]


def placeholders(template: str) -> set[str]:
    """The names that *template* is filled with."""
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def comments() -> dict[str, str]:
    """What the contract says of each reason."""
    found = re.findall(r"  // (.+)\n  REASON_(\w+) = \d+;", PROTO.read_text())
    return {reason: comment for comment, reason in found}


def test_enum_and_contract_list_the_same_reasons() -> None:
    on_the_wire = [
        name.removeprefix("REASON_") for name in reason_pb2.Reason.DESCRIPTOR.values_by_name
    ]
    assert sorted(on_the_wire) == sorted(["UNSPECIFIED", *Reason])


def test_reasons_have_the_form_that_error_details_demand() -> None:
    """Source: AIP-193, google.rpc.ErrorInfo.reason."""
    for reason in Reason:
        assert reason.name == reason.value
        assert re.fullmatch(r"[A-Z][A-Z0-9_]+[A-Z0-9]", reason)
        assert len(reason) <= 63


def test_every_reason_has_exactly_one_class() -> None:
    import_everything()
    assert sorted(leaf.reason for leaf in leaves()) == sorted(set(Reason) - {BUG})


@pytest.mark.parametrize("leaf", leaves(), ids=lambda leaf: leaf.__name__)
def test_a_leaf_states_its_reason_its_template_and_its_fields(leaf: type[HubError]) -> None:
    names = [field.name for field in fields(leaf)]
    assert {"reason", "template"} <= set(vars(leaf))
    assert placeholders(leaf.template) == set(names)
    assert leaf.__base__ is not None
    assert leaf.__base__.__base__ is HubError, "a leaf stands just below its category"
    assert leaf.__name__ in errors.__all__
    assert leaf.__module__.startswith("hub.core.errors.")


@pytest.mark.parametrize("leaf", leaves(), ids=lambda leaf: leaf.__name__)
def test_code_and_contract_say_the_same_of_a_reason(leaf: type[HubError]) -> None:
    assert (leaf.__doc__ or "").splitlines()[0] == comments()[leaf.reason]


def test_placeholders_are_found_with_conversions_and_formats() -> None:
    assert placeholders("{value!r} of {count:,} is {{not}} one") == {"value", "count"}
