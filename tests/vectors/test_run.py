"""The runner itself, on small files made here in the published formats."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.merkle import inclusion_proof, leaf_hash, root
from hub.light_clients.proofs.codec import encode_commitment_proof
from tests.harness.cometbft import make_chain, members
from tests.harness.proof_samples import MIDDLE, WORLD, lower, value
from tests.vectors.__main__ import DIFFERENT, NOTHING, SAME, main
from tests.vectors.cases import agrees
from tests.vectors.json_fields import duration, fraction, integer, moment
from tests.vectors.run import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.cometbft import Block

LEAVES = [b"a", b"b", b"c", b"d", b"e"]
INCLUSION: dict[str, Any] = {
    "leafIdx": 2,
    "treeSize": 5,
    "root": b64encode(root(LEAVES)).decode(),
    "leafHash": b64encode(leaf_hash(b"c")).decode(),
    "proof": [b64encode(node).decode() for node in inclusion_proof(LEAVES, 2)],
    "desc": "happy path",
    "wantErr": False,
}
PROOF = {
    "key": lower().key.hex(),
    "value": value(MIDDLE).hex(),
    "root": WORLD.stores["ibc"].digest.hex(),
    "proof": encode_commitment_proof(lower()).hex(),
}


def _write(path: Path, *contents: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    separator = "\n" if path.suffix == ".jsonl" else ""
    path.write_text(separator.join(json.dumps(content) for content in contents))


def _got(folder: Path) -> dict[str, tuple[str | None, str]]:
    return {
        f"{answer.path.as_posix()} {answer.case}".strip(): (answer.expected, answer.got)
        for answer in run(folder).answers
    }


def test_case_is_one_line_with_five_fields(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path / "rfc6962/inclusion/1/good.json", INCLUSION)
    assert main([str(tmp_path)]) == SAME
    out = capsys.readouterr()
    assert json.loads(out.out) == {
        "family": "rfc6962",
        "file": "rfc6962/inclusion/1/good.json",
        "case": "good",
        "expected": "accept",
        "got": "accept",
    }
    assert "all: 1 cases, 0 differences" in out.err


def test_difference_fails_the_run_and_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path / "rfc6962/bad.json", INCLUSION | {"leafIdx": 3})
    assert main([str(tmp_path)]) == DIFFERENT
    assert "DIFFERS rfc6962/bad.json [bad]: expected accept, got reject" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["no such folder"]])
def test_nothing_to_answer_is_an_error(arguments: list[str]) -> None:
    assert main(arguments) == NOTHING


def test_folder_without_vectors_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "gm").mkdir()
    assert main([str(tmp_path)]) == NOTHING


def test_families_that_are_not_built_are_named_once_and_not_counted(tmp_path: Path) -> None:
    for name in ("fabric/a.json", "fabric/b.json", "live/qbft/c.json", "live/evm_anvil.json"):
        _write(tmp_path / name, {})
    _write(tmp_path / "fabric/EXPECTED.jsonl", {"file": "a.json", "case": "", "expected": "accept"})
    bls = {"algorithm": "BLS", "testGroups": [{"type": "BlsSigVerify", "publicKey": {"pk": "00"}}]}
    _write(tmp_path / "signatures/bls.json", bls)
    _write(
        tmp_path / "EXPECTED.jsonl",
        {"family": "signatures", "file": "bls.json", "case": 1, "expected": "valid"},
        {"family": "live/qbft", "file": "c.json", "case": 1, "expected": "accept"},
    )
    found = run(tmp_path)
    assert found.not_built == [
        "fabric",
        "live/evm_anvil.json",
        "live/qbft",
        "signatures: BLS BlsSigVerify SHA-256",
    ]
    assert found.answers == []


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "7", "{}", '{"result": {}}', '{"proof": 1}', "[" * 100_000, "\udcff"],
)
@pytest.mark.parametrize(
    "family", ["tendermint", "ics23", "ibc", "rfc6962", "signatures", "live/cosmos_ibc_v2", "own"]
)
def test_malformed_file_is_a_case_and_no_crash(tmp_path: Path, family: str, content: str) -> None:
    path = tmp_path / family / "bad.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    found = run(tmp_path)
    if (family, content) in {("signatures", "[]"), ("ics23", "{}")}:
        assert found.answers == [], "a list of no cases"
        return
    if (family, content) == ("tendermint", '{"result": {}}'):
        assert found.not_built == ["tendermint: an RPC answer without block, commit or transaction"]
        return
    (answer,) = found.answers
    assert answer.got.startswith("error")
    assert answer.differs


# EXPECTED.jsonl -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "row"),
    [
        (".", {"file": "rfc6962/inclusion/1/bad.json", "case": "bad"}),
        (".", {"file": "inclusion/1/bad.json", "family": "rfc6962", "case": "bad"}),
        (".", {"file": "1/bad.json", "case": "bad"}),
        ("rfc6962", {"file": "inclusion/1/bad.json", "case": "bad"}),
        ("rfc6962", {"file": "rfc6962/inclusion/1/bad.json", "case": "bad"}),
        ("rfc6962/inclusion/1", {"file": "bad.json", "case": "bad"}),
        ("rfc6962/inclusion/1", {"file": "bad.json", "case": ""}),
        ("rfc6962/inclusion/1", {"file": "bad.json", "case": 0}),
        ("rfc6962/inclusion/1", {"file": "bad.json"}),
    ],
)
@pytest.mark.parametrize("word", ["reject", "invalid", "INVALID", False])
def test_row_states_the_verdict_wherever_it_stands(
    tmp_path: Path, where: str, row: dict[str, object], word: object
) -> None:
    _write(tmp_path / "rfc6962/inclusion/1/bad.json", INCLUSION | {"leafIdx": 3})
    _write(tmp_path / "rfc6962/inclusion/2/bad.json", INCLUSION | {"leafIdx": 3, "wantErr": True})
    _write(tmp_path / where / "EXPECTED.jsonl", row | {"expected": word})
    assert run(tmp_path).differences == []


def test_row_goes_before_what_the_file_states(tmp_path: Path) -> None:
    _write(tmp_path / "rfc6962/good.json", INCLUSION)
    _write(tmp_path / "rfc6962/EXPECTED.jsonl", {"file": "good.json", "expected": "reject"})
    assert _got(tmp_path) == {"rfc6962/good.json good": ("reject", "accept")}
    assert main([str(tmp_path)]) == DIFFERENT


@pytest.mark.parametrize(
    "row",
    [
        {"file": "none.json", "case": "", "expected": "accept"},
        {"file": "good.json", "case": "other", "expected": "accept", "family": "own"},
        {"file": "two.json", "case": "third", "expected": "accept"},
    ],
)
def test_row_for_nothing_differs(tmp_path: Path, row: dict[str, object]) -> None:
    _write(tmp_path / "own/good.json", {"format": "packet", "cases": []})
    hashed = {"HashOp": 1, "Preimage": "a", "ExpectedHash": sha256(b"a").hexdigest()}
    _write(tmp_path / "ics23/unit/two.json", {"first": hashed, "second": hashed})
    _write(tmp_path / "EXPECTED.jsonl", row)
    (answer,) = run(tmp_path).differences
    assert answer.got.startswith("error: no such")


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"file": "a", "expected": 7}', "null"])
def test_line_that_is_no_row_differs(tmp_path: Path, line: str) -> None:
    _write(tmp_path / "rfc6962/good.json", INCLUSION)
    (tmp_path / "EXPECTED.jsonl").write_text(f"\n{line}\n")
    (answer,) = run(tmp_path).differences
    assert answer.case == "line 2"


def test_rows_name_cases_by_index_in_many_spellings(tmp_path: Path) -> None:
    chain = make_chain([members(10, 10, 10, 10)] * 4)
    _write(tmp_path / "tendermint/steps.json", _steps(chain))
    names = ["0", 1, "input[2]"]
    rows = [{"file": "steps.json", "case": name, "expected": "INVALID"} for name in names]
    _write(tmp_path / "tendermint/EXPECTED.jsonl", *rows)
    assert [answer.expected for answer in run(tmp_path).answers] == ["INVALID"] * 3


def test_yes_and_no_have_many_words() -> None:
    assert agrees("SUCCESS", "accept")
    assert agrees("valid", "included")
    assert agrees("acceptable", "invalid")
    assert agrees("PARSE_ERROR", "INVALID")
    assert agrees("reject", "NOT_ENOUGH_TRUST")
    assert not agrees("INVALID", "NOT_ENOUGH_TRUST")
    assert not agrees("NOT_ENOUGH_TRUST", "INVALID")
    assert not agrees("included", "excluded")
    assert not agrees("accept", "reject")
    assert not agrees("reject", "accept")
    assert not agrees("accept", "error: ValueError")
    assert not agrees("reject", "error: ValueError")
    assert not agrees("nonsense", "accept")


# Formats ------------------------------------------------------------------------------------------


def _hash(data: bytes) -> str:
    return data.hex().upper()


def _light_block(block: Block, following: Block) -> dict[str, Any]:
    header, commit = block.signed.header, block.signed.commit
    return {
        "signed_header": {
            "header": {
                "version": {"block": "11", "app": str(header.app_protocol)},
                "chain_id": header.chain_id,
                "height": str(header.height),
                "time": _time(header.time),
                "last_block_id": _block_id(header.last_block_id),
                "last_commit_hash": _hash(header.last_commit_hash),
                "data_hash": _hash(header.data_hash),
                "validators_hash": _hash(header.validators_hash),
                "next_validators_hash": _hash(header.next_validators_hash),
                "consensus_hash": _hash(header.consensus_hash),
                "app_hash": _hash(header.app_hash),
                "last_results_hash": _hash(header.last_results_hash),
                "evidence_hash": _hash(header.evidence_hash),
                "proposer_address": _hash(header.proposer_address),
            },
            "commit": {
                "height": str(commit.height),
                "round": commit.round,
                "block_id": _block_id(commit.block_id),
                "signatures": [
                    {
                        "block_id_flag": int(entry.flag),
                        "validator_address": _hash(entry.address),
                        "timestamp": _time(entry.time),
                        "signature": b64encode(entry.signature).decode(),
                    }
                    for entry in commit.signatures
                ],
            },
        },
        "validator_set": _set(block),
        "next_validator_set": _set(following),
    }


def _block_id(block_id: Any) -> dict[str, Any]:
    parts = {"total": block_id.parts_total, "hash": _hash(block_id.parts_hash)}
    return {"hash": _hash(block_id.hash), "parts": parts}


def _time(at: int) -> str:
    from datetime import UTC, datetime

    whole = datetime.fromtimestamp(at // 10**9, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{at % 10**9:09}Z"


def _set(block: Block) -> dict[str, Any]:
    # Backwards: the model's files are not in order either.
    return {
        "validators": [
            {
                "address": _hash(member.address),
                "pub_key": {
                    "type": "tendermint/PubKeyEd25519",
                    "value": b64encode(member.validator.public_key.data).decode(),
                },
                "voting_power": str(member.power),
            }
            for member in reversed(block.group)
        ]
    }


def _steps(chain: list[Block], **initial: Any) -> dict[str, Any]:
    blocks = [_light_block(block, chain[min(at + 1, 3)]) for at, block in enumerate(chain)]
    first, *rest = blocks
    now = _time(chain[-1].time + 10**9)
    return {
        "initial": {
            "signed_header": first["signed_header"],
            "next_validator_set": first["next_validator_set"],
            "trusting_period": "1400000000000",
            "now": now,
            **initial,
        },
        "input": [{"block": block, "now": now, "verdict": "SUCCESS"} for block in rest],
    }


CHAIN = make_chain([members(10, 10, 10, 10)] * 4)


def test_single_steps_keep_what_they_trust(tmp_path: Path) -> None:
    _write(tmp_path / "tendermint/steps.json", _steps(CHAIN))
    assert list(_got(tmp_path).values()) == [("SUCCESS", "SUCCESS")] * 3


@pytest.mark.parametrize(
    ("options", "got"),
    [
        (None, "SUCCESS"),
        ({"clock_drift": 0}, "INVALID"),
        ({"clock_drift": "1s"}, "INVALID"),
        ({"clock_drift": {"secs": 1, "nanos": 1}}, "SUCCESS"),
        ({"max_clock_drift": "1000000001"}, "SUCCESS"),
        ({"trusting_period": "1s", "clock_drift": "1m"}, "SUCCESS"),
        ({"trusting_period": 0, "clock_drift": "1m"}, "INVALID"),
    ],
)
def test_options_of_a_file_are_kept(
    tmp_path: Path, options: dict[str, Any] | None, got: str
) -> None:
    content = _steps(CHAIN, **({} if options is None else {"options": options}))
    del content["input"][1:]
    content["input"][0]["now"] = _time(CHAIN[1].time - 10**9)
    _write(tmp_path / "tendermint/steps.json", content)
    assert list(_got(tmp_path).values()) == [("SUCCESS", got)]


def test_models_own_files_have_no_drift(tmp_path: Path) -> None:
    content = _steps(CHAIN)
    del content["input"][1:]
    content["input"][0]["now"] = _time(CHAIN[1].time)
    for name in ("MC100_2_faulty_Mine.json", "MC4_4_faulty_Mine.json", "mine.json"):
        _write(tmp_path / "tendermint" / name, content)
    assert [got for _, got in _got(tmp_path).values()] == ["INVALID", "INVALID", "SUCCESS"]


def test_address_that_is_not_the_keys_is_refused(tmp_path: Path) -> None:
    content = _steps(CHAIN)
    content["input"][0]["block"]["validator_set"]["validators"][0]["address"] = "00" * 20
    _write(tmp_path / "tendermint/steps.json", content)
    assert [got for _, got in _got(tmp_path).values()] == ["INVALID", "SUCCESS", "SUCCESS"]


def test_unreadable_block_is_refused_and_the_next_one_judged(tmp_path: Path) -> None:
    content = _steps(CHAIN)
    content["input"][0]["block"]["signed_header"]["header"]["height"] = "x"
    _write(tmp_path / "tendermint/steps.json", content)
    assert [got for _, got in _got(tmp_path).values()] == ["INVALID", "SUCCESS", "SUCCESS"]


@pytest.mark.parametrize(
    ("path", "got"),
    [
        ("ics23/iavl/a.json", "included"),
        ("ics23/more/iavl/a.json", "included"),
        ("ics23/iavl_a.json", "included"),
        ("ics23/tendermint/a.json", "invalid"),
        ("ics23/a.json", "error: ValueError: neither folder nor name tells the kind of tree"),
    ],
)
def test_kind_of_tree_is_told_by_the_folder(tmp_path: Path, path: str, got: str) -> None:
    _write(tmp_path / path, PROOF)
    assert [answer.got for answer in run(tmp_path).answers] == [got]


def test_edge_cases_without_a_stated_verdict_are_answered_but_never_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = {"message": "00", "pub_key": "00" * 32, "signature": "00" * 64}
    _write(tmp_path / "signatures/cases.json", [case])
    assert main([str(tmp_path)]) == SAME
    assert "1 without a stated verdict" in capsys.readouterr().err


def test_numbers_times_and_shares_are_read_as_the_field_writes_them() -> None:
    assert integer("-7") == -7
    assert moment("1970-01-01T00:00:01.5Z") == 1_500_000_000
    assert moment("1970-01-01T01:00:00+01:00") == 0
    assert moment("0001-01-01T00:00:00Z") == -62_135_596_800 * 10**9
    assert duration("1.5s") == duration({"secs": 1, "nanos": 500_000_000}) == 1_500_000_000
    assert duration("2h") == 7200 * 10**9
    assert fraction("1/3") == fraction([1, 3]) == fraction({"numerator": 1, "denominator": "3"})
    for bad in (True, 1.5, "1.5", None, "", "0x1"):
        with pytest.raises(ValueError, match="whole number"):
            integer(bad)
