"""Who sends from the adapter's chain: one TOML file, its kind told by ``kind``.

Unknown keys are refused. Relative paths are relative to the file's own directory.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from hub.core.errors import FieldInvalid


class SimchainUsers(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="simchain",
    tag_field="kind",
):
    """Users of an embedded chain."""

    address: str
    """host:port of the chain's SimchainService."""
    cert_file: str
    """Of the chain's own peer, or of an administrator."""
    key_file: str
    ca_file: str
    sender: str
    """An account that holds some hundred units of the denomination."""
    denomination: str
    """What it sends."""
    receiver: str
    """An account that the examiner's tokens go to."""


class CosmosUsers(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="cosmos",
    tag_field="kind",
):
    """A user of a chain with ibc-go v10, that the adapter does not act as."""

    chain_id: str
    nodes: list[str]
    """CometBFT RPC addresses, in the order in which they are tried."""
    keys_file: str
    """Its first key's account holds some hundred units of the denomination, and what fees cost."""
    denomination: str
    """What it sends; another one than that of the fees."""
    address_prefix: str = "cosmos"
    fee_denomination: str = ""
    """Empty where the chain asks for no fee."""
    fee: int = 0
    """Of each transaction."""

    def __post_init__(self) -> None:
        """Checks what types do not say. Raises ``ValueError``, told with the file."""
        if not self.nodes:
            raise ValueError("`nodes` names no address")
        if self.fee and self.fee_denomination in {"", self.denomination}:
            raise ValueError("`fee_denomination` is missing, or is what is sent")


Users = SimchainUsers | CosmosUsers


def read(file: str) -> Users:
    """Who *file* names, its paths made whole. Raises ``FieldInvalid``."""
    try:
        found: Users = msgspec.toml.decode(Path(file).read_bytes(), type=Users)
    except OSError as error:
        raise FieldInvalid(field=file, problem=f"cannot be read: {error.strerror}") from error
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise FieldInvalid(field=file, problem=f"is not valid: {error}") from error
    base = Path(file).parent
    if isinstance(found, CosmosUsers):
        return msgspec.structs.replace(found, keys_file=str(base / found.keys_file))
    return msgspec.structs.replace(
        found,
        cert_file=str(base / found.cert_file),
        key_file=str(base / found.key_file),
        ca_file=str(base / found.ca_file),
    )
