"""The operator's own anchors of other chains: the only ones that a client is ever created from.

Source: design section 1 (no trust anchor ever comes from the hub).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.core.errors import AnchorInvalid, AnchorMismatch
from hub.core.ids import PeerId, parse_peer_id
from hub.wire import anchor_file

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from hub.core.client import Anchor


@dataclass(frozen=True, slots=True)
class Anchors:
    """Anchors by peer, each read from a file of this operator."""

    by_peer: Mapping[PeerId, Anchor]

    @classmethod
    def read(cls, files: Mapping[str, str | os.PathLike[str]]) -> Anchors:
        """The anchors in *files*, by peer.

        Raises as ``anchor_file.read``, or ``AnchorMismatch``.
        """
        found: dict[PeerId, Anchor] = {}
        for name, file in files.items():
            peer = parse_peer_id(name)
            named, anchor = anchor_file.read(file)
            if named is not None and named != peer:
                raise AnchorMismatch(field=f"name in {file}", got=named, expected=peer)
            found[peer] = anchor
        return cls(found)

    def of(self, name: str, chain_id: str) -> Anchor:
        """The anchor of the peer *name*, whose chain is *chain_id*.

        Raises ``AnchorInvalid`` where the operator has none, or ``AnchorMismatch``.
        """
        peer = parse_peer_id(name.removeprefix("peers/"))
        anchor = self.by_peer.get(peer)
        if anchor is None:
            raise AnchorInvalid(field=f"of peers/{peer}", problem="is in no file of this operator")
        if anchor.chain_id != chain_id:
            raise AnchorMismatch(field="chain id", got=chain_id, expected=anchor.chain_id)
        return anchor

    def prefix_of(self, chain_id: str) -> tuple[bytes, ...]:
        """The commitment prefix of the chain *chain_id*. Raises ``AnchorInvalid``."""
        for anchor in self.by_peer.values():
            if anchor.chain_id == chain_id:
                return anchor.prefix
        raise AnchorInvalid(field=f"of chain {chain_id}", problem="is in no file of this operator")
