"""Nodes of an IAVL tree: immutable once hashed, and so shared by all versions that hold them.

A node without a hash belongs to the version in the making and may still change.

Source: cosmos/iavl node.go, writeHashBytes.
"""

from __future__ import annotations

from hashlib import sha256

from hub.core.codec.proto import encode_varint

_SMALL = [encode_varint(number) for number in range(1 << 14)]
_CHILD = b"\x20"


class Leaf:
    """A key and its value, with the version that wrote it."""

    __slots__ = ("hash", "key", "value", "version")

    height = 0
    size = 1

    def __init__(self, key: bytes, value: bytes, version: int) -> None:
        self.key = key
        self.value = value
        self.version = version
        self.hash: bytes | None = None


class Inner:
    """Two subtrees; *key* is the smallest key of the right one."""

    __slots__ = ("hash", "height", "key", "left", "right", "size", "version")

    def __init__(self, key: bytes, left: Node, right: Node, version: int) -> None:
        self.key = key
        self.left = left
        self.right = right
        self.version = version
        self.hash: bytes | None = None
        self.height = 0
        self.size = 0
        self.measure()

    def measure(self) -> None:
        """Height and size are those of the children."""
        left, right = self.left, self.right
        self.height = 1 + max(left.height, right.height)
        self.size = left.size + right.size

    @property
    def prefix(self) -> bytes:
        """What the hash begins with: height, size and version, as zig-zag varints."""
        return zigzag(self.height) + zigzag(self.size) + zigzag(self.version)


Node = Leaf | Inner


def node_hash(node: Node) -> bytes:
    """The hash of *node*, computed where it is not yet; from then on the node is fixed."""
    known = node.hash
    if known is not None:
        return known
    if isinstance(node, Leaf):
        size = len(node.key)
        found = sha256(
            b"\x00\x02"
            + zigzag(node.version)
            + (_SMALL[size] if size < len(_SMALL) else encode_varint(size))
            + node.key
            + _CHILD
            + sha256(node.value).digest()
        ).digest()
    else:
        found = sha256(
            node.prefix + _CHILD + node_hash(node.left) + _CHILD + node_hash(node.right)
        ).digest()
    node.hash = found
    return found


def zigzag(number: int) -> bytes:
    """*number*, not negative, as a zig-zag varint."""
    doubled = number << 1
    return _SMALL[doubled] if doubled < len(_SMALL) else encode_varint(doubled)
