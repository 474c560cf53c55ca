"""The columns and rules that the tables share.

Times of the database's clock are ``timestamptz``; times of chains are integers of nanoseconds, or
of whole seconds where packets count in them. Names compare by bytes (collation C), as in Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    LargeBinary,
    MetaData,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INT8MULTIRANGE

if TYPE_CHECKING:
    from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

SIDES: Final = ("SOURCE", "DESTINATION")
ORDERS: Final = ("UNORDERED", "BEST_EFFORT", "ENFORCED")


def name(column: str, *more: SchemaItem, null: bool = False, key: bool = False) -> Column[str]:
    """A column of text that is compared by bytes."""
    return Column(column, Text(collation="C"), *more, nullable=null, primary_key=key)


def words(column: str, default: str | None = "") -> Column[str]:
    """A column of text for people, or of a word of ours."""
    shown = text(f"'{default}'") if default is not None else None
    return Column(column, Text, nullable=False, server_default=shown)


def number(column: str, *, null: bool = False, default: int | None = None) -> Column[int]:
    """A column of 64-bit integers."""
    shown = text(str(default)) if default is not None else None
    return Column(column, BigInteger, nullable=null, server_default=shown)


def octets(column: str, *, key: bool = False) -> Column[bytes]:
    """A column of bytes."""
    return Column(column, LargeBinary, nullable=False, primary_key=key)


def octet_list(column: str) -> Column[list[bytes]]:
    """A column of lists of bytes."""
    return Column(column, ARRAY(LargeBinary), nullable=False)


def word_list(column: str) -> Column[list[str]]:
    """A column of lists of text."""
    return Column(column, ARRAY(Text), nullable=False, server_default=text("'{}'"))


def moment(column: str, *, null: bool = False, default: bool = True) -> Column[Any]:
    """A column of times by the database's clock; now, unless it may be null or has no *default*."""
    shown = text("clock_timestamp()") if default and not null else None
    return Column(column, DateTime(timezone=True), nullable=null, server_default=shown)


def flag(column: str) -> Column[bool]:
    """A column of truths, false unless said."""
    return Column(column, Boolean, nullable=False, server_default=text("false"))


def ranges(column: str) -> Column[Any]:
    """A column of sets of integers, empty unless said."""
    return Column(column, INT8MULTIRANGE, nullable=False, server_default=text("'{}'"))


def lane(*, key: bool = False) -> Column[int]:
    """The column that names a lane."""
    return Column(
        "lane_id",
        BigInteger,
        ForeignKey("lanes.lane_id"),
        nullable=False,
        primary_key=key,
        autoincrement=False,
    )


def peer(column: str = "peer", *, key: bool = False) -> Column[str]:
    """A column that names a peer."""
    return name(column, ForeignKey("peers.peer"), key=key)


def check(rule_name: str, rule: str) -> CheckConstraint:
    """Every row keeps *rule*."""
    return CheckConstraint(rule, name=rule_name)


def one_of(column: str, *values: str) -> CheckConstraint:
    """The column holds one of *values*."""
    return check(column, f"{column} IN ({', '.join(repr(value) for value in values)})")


def digests(*columns: str) -> list[CheckConstraint]:
    """Each of *columns* has 32 bytes, not all of them zero."""
    return [
        check(column, f"octet_length({column}) = 32 AND btrim({column}, '\\x00'::bytea) <> ''")
        for column in columns
    ]


def trust() -> list[SchemaItem]:
    """The columns of ``TrustOptions``."""
    return [
        number("trust_numerator"),
        number("trust_denominator"),
        number("trusting_period"),
        number("max_clock_drift"),
        check("trust_level", "trust_numerator BETWEEN 1 AND trust_denominator"),
        check("periods", "trusting_period > 0 AND max_clock_drift >= 0"),
    ]
