"""What a node may do to those that ask it, as changes of questions and answers.

Source: cometbft rpc/core/env.go (heights that are not there), cosmos-sdk baseapp/abci.go and
store/rootmulti/store.go (states that are not there).
"""

from __future__ import annotations

import copy
import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import msgspec

from adapters.cosmos.rpc.answers import HeaderAnswer
from adapters.cosmos.rpc.light_block import read_header
from hub.core.ids import ChainId
from hub.light_clients.cometbft.header import header_hash

Json = dict[str, Any]

BY_HEIGHT: Final = frozenset(
    {"block", "block_results", "commit", "consensus_params", "header", "validators"}
)
FORGED_APP_HASH: Final = "AB" * 32
FORGED_TIME: Final = "2020-02-02T02:02:02Z"
SIMULATION: Final = "app/simulate"
GARBAGE: Final = b"\x00\xff<html>502"


@dataclass(slots=True, kw_only=True)
class Lies:
    """Switches; as it is made, the node tells the truth, at once. They change while it runs."""

    forged: str = ""
    """``app_hash`` or ``time``: this field of every header is another."""
    is_recommitted: bool = False
    """The commit names the forged header's hash: only its signatures show the forgery."""
    alters_proofs: bool = False
    """One bit of every proof is another."""
    alters_values: bool = False
    """One bit of every value that is queried, with a proof or without, is another."""
    chain_id: str = ""
    """Everything is said of the chain with this id."""
    behind: int = 0
    """So many of the newest blocks have not arrived yet."""
    lowest: int = 0
    """Blocks and states below this height are pruned."""
    saves_gas: int = 1
    """Simulations tell a part of the gas that they used: one of so many."""
    drops: bool = False
    """Transactions are taken, with code 0, and forgotten."""
    delay_s: float = 0
    """Every answer takes so much longer."""
    is_garbage: bool = False
    """Answers are no JSON."""
    dropped: list[bytes] = field(default_factory=list)
    """The transactions that were forgotten."""

    def answer_instead(self, question: Json, newest: int) -> Json | None:
        """The answer to *question* that the node never hears; None where it is to be asked.

        *newest* is the node's own newest height.
        """
        method, params = question.get("method"), question.get("params") or {}
        if method == "broadcast_tx_sync" and self.drops:
            return self._drop(question, params)
        if method not in BY_HEIGHT | {"abci_query"}:
            return None
        height = int(params.get("height") or 0)
        shown = newest - self.behind
        if 0 < height < self.lowest:
            problem = f"height {height} is not available, lowest height is {self.lowest}"
        elif self.behind and height > shown + (method == "validators"):
            problem = f"height {height} must be less than or equal to the current blockchain "
            problem += f"height {shown}"
        else:
            return None
        if method == "abci_query":
            nothing = _no_state(params, is_pruned=height < self.lowest)
            return _answer(question, {"response": nothing})
        error = {"code": -32603, "message": "Internal error", "data": problem}
        return {"jsonrpc": "2.0", "id": question.get("id"), "error": error}

    def ask(self, question: Json, newest: int) -> Json:
        """What the node is asked instead of *question*."""
        params = question.get("params") or {}
        is_newest = not int(params.get("height") or 0)
        if not self.behind or not is_newest or question.get("method") not in _WITH_HEIGHT:
            return question
        return question | {"params": params | {"height": str(newest - self.behind)}}

    def tell(self, question: Json, answer: Json, newest: int) -> Json:
        """What is told instead of the node's *answer* to *question*."""
        told = copy.deepcopy(answer)
        result, method = told.get("result"), question.get("method")
        if not isinstance(result, dict):
            return told
        if method == "status":
            self._tell_status(result, newest)
        elif method == "commit":
            self._forge(result["signed_header"]["header"], result["signed_header"]["commit"])
        elif method == "block":
            self._forge(result["block"]["header"], result)
        elif method == "header":
            self._forge(result["header"], {})
        elif method == "abci_query":
            self._alter(result["response"])
            if question["params"].get("path") == SIMULATION:
                _save_gas(result["response"], self.saves_gas)
        return told

    def _drop(self, question: Json, params: Json) -> Json:
        transaction = b64decode(params["tx"])
        self.dropped.append(transaction)
        name = sha256(transaction).hexdigest().upper()
        return _answer(question, {"code": 0, "data": "", "log": "", "codespace": "", "hash": name})

    def _tell_status(self, result: Json, newest: int) -> None:
        sync = result["sync_info"]
        sync["latest_block_height"] = str(newest - self.behind)
        sync["earliest_block_height"] = str(max(int(sync["earliest_block_height"]), self.lowest))
        if self.chain_id:
            result["node_info"]["network"] = self.chain_id

    def _forge(self, header: Json, commit: Json) -> None:
        if self.chain_id:
            header["chain_id"] = self.chain_id
        if self.forged:
            header[self.forged] = {"app_hash": FORGED_APP_HASH, "time": FORGED_TIME}[self.forged]
        if self.is_recommitted:
            commit["block_id"]["hash"] = hash_of(header)

    def _alter(self, response: Json) -> None:
        if self.alters_proofs and response.get("proofOps"):
            for op in response["proofOps"]["ops"]:
                op["data"] = _flipped(op["data"])
        if self.alters_values and response.get("value"):
            response["value"] = _flipped(response["value"])


_WITH_HEIGHT: Final = BY_HEIGHT | {"abci_query"}


def hash_of(header: Json) -> str:
    """The hash of *header* as a node's JSON has it, and as that names hashes."""
    told = msgspec.convert(header, HeaderAnswer, strict=False)
    return header_hash(read_header(told, ChainId(told.chain_id), told.height)).hex().upper()


def _no_state(params: Json, *, is_pruned: bool) -> Json:
    """The answer of an application whose state at a height is not there."""
    if params.get("path", "").startswith(("store/", "/store/")):
        codespace, code = "store", 7
        log = "proof is unexpectedly empty; ensure height has not been pruned: invalid request"
    elif is_pruned:
        codespace, code, log = "sdk", 38, "failed to load state: version does not exist: not found"
    else:
        codespace, code, log = "sdk", 26, "cannot query with height in the future: invalid height"
    nothing = {"info": "", "index": "0", "key": None, "value": None, "proofOps": None}
    return {"code": code, "codespace": codespace, "log": log, "height": "0"} | nothing


def _answer(question: Json, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": question.get("id"), "result": result}


def _save_gas(response: Json, part: int) -> None:
    if part == 1 or not response.get("value"):
        return
    simulated = json.loads(b64decode(response["value"]))
    used = int(simulated["gas_info"]["gas_used"])
    simulated["gas_info"]["gas_used"] = str(used // part)
    response["value"] = b64encode(json.dumps(simulated).encode()).decode()


def _flipped(text: str) -> str:
    """Base64 *text* with the lowest bit of its middle byte the other way."""
    data = bytearray(b64decode(text))
    data[len(data) // 2] ^= 1
    return b64encode(bytes(data)).decode()
