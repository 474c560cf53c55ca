"""A provable key-value store that keeps its last versions: an IAVL tree in memory.

``set`` and ``remove`` change the version in the making; ``commit`` fixes it. Trees of kept versions
share their nodes.

Source: cosmos/iavl mutable_tree.go (recursiveSet, recursiveRemove, balance).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from adapters.simchain.store.node import Inner, Leaf, Node, node_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EMPTY_ROOT = sha256(b"").digest()
"""Root of a store without keys. Source: cosmos/iavl, the hash of an empty tree."""

DEFAULT_KEEP = 256


class StoreError(Exception):
    """A call that the store cannot obey; a fault of the caller."""


class IavlStore:
    """One store: bytes to bytes, neither empty."""

    def __init__(self, *, keep: int = DEFAULT_KEEP, version: int = 0) -> None:
        """An empty store whose next commit is *version* + 1 and that keeps *keep* versions."""
        self._root: Node | None = None
        self._version = version
        self._keep = keep
        self._roots: dict[int, Node | None] = {}

    def __len__(self) -> int:
        return self._root.size if self._root else 0

    def __contains__(self, key: bytes) -> bool:
        return self.get(key) is not None

    @property
    def version(self) -> int:
        """The last committed version."""
        return self._version

    def get(self, key: bytes) -> bytes | None:
        """The value at *key* now, uncommitted changes included; None if there is none."""
        return _get(self._root, key)

    def get_at(self, version: int, key: bytes) -> bytes | None:
        """The value at *key* in a kept *version*, if there is one. Raises ``StoreError``."""
        return _get(self.tree(version), key)

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Each (key, value) whose key begins with *prefix*, keys rising."""
        stack = [self._root] if self._root else []
        while stack:
            node = stack.pop()
            if isinstance(node, Inner):
                stack.append(node.right)
                if prefix < node.key:
                    stack.append(node.left)
            elif node.key.startswith(prefix):
                yield node.key, node.value
            elif node.key > prefix:
                return

    def set(self, key: bytes, value: bytes) -> None:
        """*value* stands at *key*. Raises ``StoreError`` when one is empty."""
        if not key or not value:
            raise StoreError("key or value is empty")
        version = self._version + 1
        path: list[Inner] = []
        node = self._root
        while isinstance(node, Inner):
            node = _own(node, version)
            path.append(node)
            node = node.left if key < node.key else node.right
        leaf = Leaf(key, value, version)
        if node is None:
            self._root = leaf
        elif node.key == key:
            self._attach(path, leaf, grown=False)
        else:
            first, second = (leaf, node) if key < node.key else (node, leaf)
            self._attach(path, Inner(second.key, first, second, version), grown=True)

    def remove(self, key: bytes) -> bool:
        """Nothing stands at *key* any more; whether something did."""
        if self._root is None or self.get(key) is None:
            return False
        self._root, _ = _removed(self._root, key, self._version + 1)
        return True

    def load(self, items: Iterable[tuple[bytes, bytes]], beside: Node | None = None) -> None:
        """An empty store holds *items*, keys strictly rising, as one balanced tree; far faster.

        A tree *beside* them, of the same kind and of greater keys, is shared: it is theirs too.
        Raises ``StoreError``.
        """
        if self._root is not None:
            raise StoreError("only an empty store can be loaded")
        version = self._version + 1
        leaves = [Leaf(key, value, version) for key, value in items]
        last = b""
        for leaf in leaves:
            if leaf.key <= last or not leaf.value:
                raise StoreError("keys do not rise, or a value is empty")
            last = leaf.key
        tree = _balanced(leaves, 0, len(leaves), version) if leaves else None
        if tree is None or beside is None:
            self._root = tree or beside
            return
        first = _smallest(beside)
        if first <= last:
            raise StoreError("keys beside are not greater")
        self._root = Inner(first, tree, beside, version)

    def commit(self) -> bytes:
        """The root (32 bytes) of the new version; the oldest is dropped when over the keep."""
        self._version += 1
        self._roots[self._version] = self._root
        while len(self._roots) > self._keep:
            del self._roots[next(iter(self._roots))]
        return self.root(self._version)

    def discard(self) -> None:
        """Uncommitted changes are undone."""
        self._root = self._roots.get(self._version)

    def root(self, version: int) -> bytes:
        """The root of a kept *version*. Raises ``StoreError``."""
        node = self.tree(version)
        return EMPTY_ROOT if node is None else node_hash(node)

    def tree(self, version: int) -> Node | None:
        """The top node of a kept *version*, None for an empty one. Raises ``StoreError``."""
        if version not in self._roots:
            raise StoreError(f"version {version} is not kept")
        return self._roots[version]

    def _attach(self, path: list[Inner], node: Node, *, grown: bool) -> None:
        """*node* stands where *path* ends; nodes above are measured and balanced if it *grown*."""
        version = self._version + 1
        key = node.key if isinstance(node, Leaf) else node.left.key
        while path:
            parent = path.pop()
            # The way down, and so the side, is told by the key that was set.
            if key < parent.key:
                parent.left = node
            else:
                parent.right = node
            if grown:
                parent.measure()
                node = _balanced_node(parent, version)
            else:
                node = parent
        self._root = node


def _get(node: Node | None, key: bytes) -> bytes | None:
    while isinstance(node, Inner):
        node = node.left if key < node.key else node.right
    return node.value if node is not None and node.key == key else None


def _smallest(node: Node) -> bytes:
    while isinstance(node, Inner):
        node = node.left
    return node.key


def _own(node: Inner, version: int) -> Inner:
    """*node*, or its copy for the version in the making if it is already fixed."""
    if node.hash is None:
        return node
    return Inner(node.key, node.left, node.right, version)


def _balance(node: Inner) -> int:
    return node.left.height - node.right.height


def _balanced_node(node: Inner, version: int) -> Inner:
    """The top of *node*'s subtree after at most two rotations. Source: cosmos/iavl balance."""
    balance = _balance(node)
    if balance > 1 and isinstance(node.left, Inner):
        if _balance(node.left) < 0:
            node.left = _rotated_left(_own(node.left, version), version)
        return _rotated_right(node, version)
    if balance < -1 and isinstance(node.right, Inner):
        if _balance(node.right) > 0:
            node.right = _rotated_right(_own(node.right, version), version)
        return _rotated_left(node, version)
    return node


def _rotated_right(node: Inner, version: int) -> Inner:
    assert isinstance(node.left, Inner)  # noqa: S101 - narrows the type; balance() saw its height
    top = _own(node.left, version)
    node.left, top.right = top.right, node
    node.measure()
    top.measure()
    return top


def _rotated_left(node: Inner, version: int) -> Inner:
    assert isinstance(node.right, Inner)  # noqa: S101 - narrows the type; balance() saw its height
    top = _own(node.right, version)
    node.right, top.left = top.left, node
    node.measure()
    top.measure()
    return top


def _removed(node: Node, key: bytes, version: int) -> tuple[Node | None, bytes | None]:
    """*node* without *key*, which it has; and its new smallest key, if that changed."""
    if isinstance(node, Leaf):
        return None, None
    if key < node.key:
        left, smallest = _removed(node.left, key, version)
        if left is None:
            return node.right, node.key
        own = _own(node, version)
        own.left = left
    else:
        right, moved = _removed(node.right, key, version)
        if right is None:
            return node.left, None
        own, smallest = _own(node, version), None
        own.right = right
        if moved is not None:
            own.key = moved
    own.measure()
    return _balanced_node(own, version), smallest


def _balanced(leaves: list[Leaf], low: int, high: int, version: int) -> Node:
    """A tree over *leaves* from *low* up to *high*; siblings differ by at most 1 in height."""
    if high - low == 1:
        return leaves[low]
    middle = (low + high + 1) // 2
    left = _balanced(leaves, low, middle, version)
    return Inner(leaves[middle].key, left, _balanced(leaves, middle, high, version), version)
