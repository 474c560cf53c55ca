"""Heights and untrusted headers, to protobuf and back."""

from __future__ import annotations

from google.protobuf.message import DecodeError
from ydhub.client.v1 import client_pb2 as pb

from hub.core.client import Header
from hub.core.errors import HeaderUnparseable
from hub.core.height import Height


def height_from_proto(height: pb.Height) -> Height:
    """The height of a message. Raises ``HeightInvalid``."""
    return Height.parse(height.revision, height.number)


def height_to_proto(height: Height) -> pb.Height:
    """*height* as a message."""
    return pb.Height(revision=height.revision, number=height.number)


def header_from_proto(header: pb.Header) -> Header:
    """The untrusted header of a message."""
    return Header(content=header.content, validators=header.validators)


def decode_header(content: bytes) -> Header:
    """The untrusted header of a message's bytes. Raises ``HeaderUnparseable``."""
    try:
        return header_from_proto(pb.Header.FromString(content))
    except DecodeError as error:
        raise HeaderUnparseable(what="header", problem="is no message") from error


def header_to_proto(header: Header) -> pb.Header:
    """*header* as a message."""
    return pb.Header(content=header.content, validators=header.validators)
