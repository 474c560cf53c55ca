"""Family ``rfc6962``: inclusion and consistency proofs; ``wantErr`` marks those to refuse.

Source: transparency-dev/merkle testdata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.core.merkle import verify_consistency, verify_inclusion
from tests.vectors.cases import ACCEPT, REJECT, Question, under_judgment
from tests.vectors.json_fields import from_base64, integer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def questions(content: dict[str, Any], path: Path) -> Iterator[Question]:
    """The one case of the file."""
    judge: Callable[[dict[str, Any]], str] = _consistency if "size1" in content else _inclusion
    if "size1" not in content and _index(content) not in content:
        raise ValueError("neither an inclusion nor a consistency proof")
    yield Question(
        case=path.stem,
        expected=REJECT if content.get("wantErr") else ACCEPT,
        ask=lambda: judge(content),
        also=(str(content.get("desc")), "0"),
    )


def _index(content: dict[str, Any]) -> str:
    """The field of the leaf's index, which upstream has renamed once."""
    return "leafIndex" if "leafIndex" in content else "leafIdx"


def _nodes(content: dict[str, Any]) -> list[bytes]:
    return [from_base64(node) for node in content.get("proof") or ()]


def _inclusion(content: dict[str, Any]) -> str:
    with under_judgment():
        index, size = integer(content[_index(content)]), integer(content["treeSize"])
        leaf, root = from_base64(content["leafHash"]), from_base64(content["root"])
        proof = _nodes(content)
    verify_inclusion(index, size, leaf, proof, root)
    return ACCEPT


def _consistency(content: dict[str, Any]) -> str:
    with under_judgment():
        size1, size2 = integer(content["size1"]), integer(content["size2"])
        root1, root2 = from_base64(content["root1"]), from_base64(content["root2"])
        proof = _nodes(content)
    verify_consistency(size1, size2, proof, root1, root2)
    return ACCEPT
