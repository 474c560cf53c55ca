"""One run of the exam, from the operator's files to the results.

The only place that knows which senders there are.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509

from adapters.conformance import counterparty, runner, sender_config
from adapters.conformance.exam import EXAMINER, Exam, Patience, Subject
from adapters.conformance.items import chosen
from adapters.conformance.relay import Relay
from adapters.conformance.simchain_sender import SimchainSender
from adapters.conformance.watch import Watch
from hub.core.errors import AnchorMismatch, FieldInvalid
from hub.core.ids import parse_peer_id
from hub.wire import anchor_file
from hub.wire.identity.credentials import server_credentials
from hub.wire.identity.spiffe import SpiffeId

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from adapters.conformance.check import Result
    from adapters.conformance.sender import Sender
    from adapters.sdk.clock import Clock

_PATIENCE = Patience()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an operator says of a run."""

    peer: str
    listen: str
    """host:port that the adapter dials."""
    cert_file: str
    """Of a relayer, as adapters expect one: it serves, and names this host."""
    key_file: str
    ca_file: str
    anchor_file: str
    """The anchor of the adapter's chain."""
    directory: Path
    """Of the examiner's own chain."""
    examiner: str = EXAMINER
    sender_file: str = ""
    """TOML; empty where nobody sends."""
    only: Sequence[str] = ()
    patience: Patience = _PATIENCE


async def run(terms: Terms, clock: Clock, told: Callable[[Result], None]) -> list[Result]:
    """How each item ended. Raises ``HubError`` where the exam cannot begin."""
    items = chosen(terms.only)
    async with opened(terms, clock) as (exam, _):
        return await runner.run(exam, items, told)


@asynccontextmanager
async def opened(terms: Terms, clock: Clock) -> AsyncIterator[tuple[Exam, int]]:
    """An exam that an adapter can dial, and the port. Raises ``HubError``."""
    subject = _subject(terms)
    watch = Watch(clock)
    credentials = server_credentials(terms.cert_file, terms.key_file, terms.ca_file)
    relay = Relay(trust_domain_of(terms.cert_file), watch, clock)
    client_type = subject.anchor.client_type
    with counterparty.kept(terms.directory, client_type, clock) as chain:
        sender = sender_of(terms.sender_file, clock) if terms.sender_file else None
        try:
            port = await relay.start(terms.listen, credentials)
            exam = Exam(
                subject,
                relay,
                chain,
                sender=sender,
                watch=watch,
                clock=clock,
                patience=terms.patience,
            )
            yield exam, port
        finally:
            await relay.stop()
            if sender is not None:
                await sender.close()


def write_anchor(directory: Path, file: str, examiner: str, clock: Clock) -> None:
    """*file* holds the anchor of the examiner's newest block, made now, for an adapter's operator.

    Raises ``HubError``.
    """
    peer = parse_peer_id(examiner)
    with counterparty.kept(directory, counterparty.CLIENT_TYPE, clock) as chain:
        chain.block()
        anchor_file.write(file, chain.anchor(), peer=peer, display_name="ydhub-conformance")


def sender_of(file: str, clock: Clock) -> Sender:
    """The users that the TOML *file* names. Raises ``HubError``."""
    users = sender_config.read(file)
    if isinstance(users, sender_config.SimchainUsers):
        return SimchainSender(users)
    try:
        # Its libraries are an extra: who examines another kind of chain needs none of them.
        from adapters.conformance.cosmos_sender import CosmosSender  # noqa: PLC0415
    except ImportError as error:
        raise FieldInvalid(field=file, problem="needs pip install 'ydhub[cosmos]'") from error
    return CosmosSender(users, clock)


def trust_domain_of(cert_file: str) -> str:
    """The trust domain of the certificate's own SPIFFE id. Raises ``HubError``."""
    try:
        certificate = x509.load_pem_x509_certificate(Path(cert_file).read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        raise FieldInvalid(field=cert_file, problem="is no certificate with an identity") from error
    found = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(found) != 1:
        raise FieldInvalid(field=cert_file, problem=f"has {len(found)} identities, not one")
    return SpiffeId.parse(found[0]).trust_domain


def _subject(terms: Terms) -> Subject:
    peer, examiner = parse_peer_id(terms.peer), parse_peer_id(terms.examiner)
    named, anchor = anchor_file.read(terms.anchor_file)
    if named is not None and named != peer:
        raise AnchorMismatch(field="name", got=named, expected=peer)
    if peer == examiner:
        raise FieldInvalid(field="--examiner", problem="is the adapter's own peer")
    return Subject(peer=peer, anchor=anchor, examiner=examiner)
