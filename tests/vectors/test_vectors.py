"""Every vector is answered as stated: the project's own always, the published where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.core.errors import Reason
from tests.vectors import record
from tests.vectors.run import run

ROOT = Path(__file__).parents[2]
PUBLISHED = Path(os.environ.get("YDHUB_VECTORS") or ROOT.parent / "shared" / "vectors")
OWN = record.FOLDER


def _no_differences(folder: Path) -> None:
    found = run(folder)
    assert found.answers, f"no vectors under {folder}"
    assert [(a.path.as_posix(), a.case, a.expected, a.got) for a in found.differences] == []


def test_own_vectors_are_answered_as_stated() -> None:
    _no_differences(OWN)


def test_published_vectors_are_answered_as_stated() -> None:
    if not PUBLISHED.is_dir():
        told = f"published vectors are not at {PUBLISHED}; YDHUB_VECTORS names their folder"
        if os.environ.get("CI", "") not in {"", "0", "false"}:
            pytest.fail(told, pytrace=False)
        pytest.skip(told)
    _no_differences(PUBLISHED)


@pytest.mark.parametrize("name", record.files())
def test_own_vectors_are_those_that_the_builders_make(name: str) -> None:
    """A change of a format shows here: formats are published, so it needs a new version."""
    assert (OWN / name).read_text() == record.text_of(record.files()[name])


def test_own_vectors_hold_a_refusal_for_every_reason_of_their_formats() -> None:
    stated = {
        Reason(case["reason"])
        for content in record.files().values()
        for case in content["cases"]
        if "reason" in case
    }
    assert stated >= {
        Reason.CHAIN_ID_MISMATCH,
        Reason.CLIENT_EXPIRED,
        Reason.COMMIT_MISMATCH,
        Reason.ENCODING_NOT_CANONICAL,
        Reason.HEADER_FROM_FUTURE,
        Reason.HEADER_UNPARSEABLE,
        Reason.HEIGHT_NOT_INCREASING,
        Reason.IDENTIFIER_INVALID,
        Reason.LIMIT_EXCEEDED,
        Reason.MEMBERSHIP_NOT_PROVEN,
        Reason.NON_MEMBERSHIP_NOT_PROVEN,
        Reason.PACKET_INVALID,
        Reason.PROOF_BATCH_INVALID,
        Reason.PROOF_SPEC_VIOLATED,
        Reason.PROOF_UNPARSEABLE,
        Reason.PROTOCOL_VERSION_MISMATCH,
        Reason.QUORUM_NOT_REACHED,
        Reason.ROOT_MISMATCH,
        Reason.SIGNATURE_INVALID,
        Reason.SIGNER_DUPLICATE,
        Reason.SIGNER_UNKNOWN,
        Reason.TIME_NOT_INCREASING,
        Reason.VALIDATOR_SET_MISMATCH,
        Reason.VOTING_POWER_INVALID,
    }
