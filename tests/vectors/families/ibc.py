"""Family ``ibc``: commitments, acknowledgement commitments and key paths of IBC v2.

Source: ibc-go modules/core/04-channel/v2/types/commitment_test.go, 24-host/v2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.ids import ClientId, PortId
from hub.core.packet import Acknowledgement, Packet, Payload
from hub.core.paths import acknowledgement_key, commitment_key, receipt_key
from tests.vectors.cases import ACCEPT, REJECT, Question, under_judgment
from tests.vectors.json_fields import from_base64, from_hex, integer, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_KEYS: Final = {
    "commitment": commitment_key,
    "receipt": receipt_key,
    "ack": acknowledgement_key,
}


def questions(content: dict[str, Any], path: Path) -> Iterator[Question]:
    """The cases of one file; each states what a packet, an answer or a place comes to."""
    del path
    found = 0
    for name, packet, stated in _packets(content):
        found += 1
        yield _stated(name, lambda packet=packet: commit_packet(_packet(packet)), stated)  # type: ignore[misc]
    for at, entry in enumerate(content.get("acks") or ()):
        found += 1
        yield _stated(
            f"acks[{at}]",
            lambda entry=entry: commit_acknowledgement(_acknowledgement(entry)),  # type: ignore[misc]
            entry["commitment"],
            f"ack {at}",
        )
    for at, entry in enumerate(content.get("keys") or ()):
        for kind, key in _KEYS.items():
            if kind in entry:
                found += 1
                yield _stated(
                    f"keys[{at}].{kind}",
                    lambda entry=entry, key=key: key(  # type: ignore[misc]
                        ClientId(text(entry["client"])), integer(entry["sequence"])
                    ),
                    entry[kind],
                    f"key {at} {kind}",
                )
    if not found:
        raise ValueError("neither packets, nor acknowledgements, nor keys")


def _packets(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], object]]:
    if "packet" in content:
        yield "packet_commitment", content["packet"], content["packet_commitment"]
    for at, entry in enumerate(content.get("packets") or ()):
        stated = entry.get("commitment", entry.get("packet_commitment"))
        yield f"packets[{at}]", entry.get("packet", entry), stated


def _stated(name: str, compute: Callable[[], bytes], stated: object, *also: str) -> Question:
    def ask() -> str:
        with under_judgment():
            got, expected = compute(), from_hex(stated)
        return ACCEPT if got == expected else REJECT

    return Question(case=name, expected=ACCEPT, ask=ask, also=also)


def _packet(value: dict[str, Any]) -> Packet:
    return Packet(
        sequence=integer(value["sequence"]),
        source_client=ClientId(text(value["source_client"])),
        destination_client=ClientId(text(value["destination_client"])),
        timeout_timestamp=integer(value["timeout_timestamp"]),
        payloads=tuple(_payload(payload) for payload in value["payloads"]),
    )


def _payload(value: dict[str, Any]) -> Payload:
    return Payload(
        source_port=PortId(text(value["source_port"])),
        destination_port=PortId(text(value["destination_port"])),
        version=text(value["version"]),
        encoding=text(value["encoding"]),
        value=_content(value, "value"),
    )


def _content(value: dict[str, Any], name: str) -> bytes:
    if f"{name}_utf8" in value:
        return text(value[f"{name}_utf8"]).encode()
    if f"{name}_base64" in value:
        return from_base64(value[f"{name}_base64"])
    return from_hex(value[f"{name}_hex"])


def _acknowledgement(value: dict[str, Any]) -> Acknowledgement:
    return Acknowledgement(tuple(from_hex(one) for one in value["app_acknowledgements_hex"]))
