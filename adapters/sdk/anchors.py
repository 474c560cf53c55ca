"""The operator's own anchors of other chains: the only ones that a client is ever created from.

Files are read when they are needed, so one that is written later counts without a restart.

Source: design section 1 (no trust anchor ever comes from the hub).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from hub.core.errors import AnchorInvalid, AnchorMismatch, HubError
from hub.core.ids import PeerId, parse_peer_id
from hub.wire import anchor_file

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from hub.core.client import Anchor


@dataclass(frozen=True, slots=True)
class Anchors:
    """Files of this operator, by the peer whose anchor each holds."""

    files: Mapping[PeerId, str | os.PathLike[str]]

    @classmethod
    def of_files(cls, files: Mapping[str, str | os.PathLike[str]]) -> Self:
        """The anchors in *files*. Raises ``IdentifierInvalid``."""
        return cls({parse_peer_id(name): file for name, file in files.items()})

    def of_peer(self, name: str, chain_id: str) -> Anchor:
        """The anchor of the peer *name*, whose chain is *chain_id*.

        Raises ``AnchorInvalid`` where the operator has none, ``AnchorMismatch``, or as
        ``anchor_file.read``.
        """
        peer = parse_peer_id(name.removeprefix("peers/"))
        if peer not in self.files:
            raise AnchorInvalid(field=f"of peers/{peer}", problem="is in no file of this operator")
        anchor = self._read(peer)
        if anchor.chain_id != chain_id:
            raise AnchorMismatch(field="chain id", got=chain_id, expected=anchor.chain_id)
        return anchor

    def of_chain(self, chain_id: str) -> Anchor:
        """The anchor of the chain *chain_id*. Raises ``AnchorInvalid``."""
        for peer in self.files:
            try:
                anchor = self._read(peer)
            except HubError:
                continue  # another chain's file, or not there yet
            if anchor.chain_id == chain_id:
                return anchor
        raise AnchorInvalid(field=f"of chain {chain_id}", problem="is in no file of this operator")

    def _read(self, peer: PeerId) -> Anchor:
        named, anchor = anchor_file.read(self.files[peer])
        if named is not None and named != peer:
            raise AnchorMismatch(field="name", got=named, expected=peer)
        return anchor
