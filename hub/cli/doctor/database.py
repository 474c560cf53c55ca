"""Checks of the registry's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.cli.doctor.findings import MINUTE, failed, few, fine, graded, shown, unknown, warning
from hub.core.errors import FieldInvalid
from hub.core.report import STANDBY
from hub.core.time import Duration
from hub.wire.times import duration_from_proto

if TYPE_CHECKING:
    from collections.abc import Callable

    from ydhub.hub.v1.status_service_pb2 import GetDatabaseResponse

    from hub.cli.doctor.findings import Examined, Verdict

GIB = 1024**3
DEAD_LEAST = 10_000
"""Dead rows; below, a table is too small to matter."""
_PERCENT = 100


def of_database(judge: Callable[[GetDatabaseResponse], Verdict]) -> Callable[[Examined], Verdict]:
    """*judge*, where the database was asked."""

    def asked(seen: Examined) -> Verdict:
        if seen.database is None:
            return unknown("the database was not asked")
        return judge(seen.database)

    return asked


def answers(seen: Examined) -> Verdict:
    """The database answers."""
    if seen.database is not None:
        way = "asked by itself" if seen.database_is_direct else "through the hub"
        return fine(f"PostgreSQL {seen.database.server_version} answers, {way}")
    why = seen.errors.get("database")
    if why is None:
        detail = "neither the hub nor a database could be asked; see --database-url"
        return unknown(detail)
    return failed(why, "look whether PostgreSQL runs, at its log, and at the database's address")


def schema(found: GetDatabaseResponse) -> Verdict:
    """The schema is the one that the program needs."""
    needed, has = found.needed_revision, found.schema_revision
    if has < needed:
        return failed(f"it is {has}, {needed} is needed", "run `ydhub-server migrate`")
    if has > needed:
        detail = f"it is {has}, and the program needs only {needed}"
        return warning(detail, "finish the upgrade: an older program runs beside a newer schema")
    return fine(f"it is {has}")


def durability(found: GetDatabaseResponse) -> Verdict:
    """An answered commit survives a crash."""
    weak = [
        f"{one.name}={one.value}"
        for one in found.settings
        if not one.is_durable and one.name != STANDBY
    ]
    if weak:
        fix = "set fsync, full_page_writes and synchronous_commit to on, and enable checksums"
        return failed(f"unsafe: {few(weak)}", fix)
    count = len([one for one in found.settings if one.name != STANDBY])
    return fine(f"{count} settings are safe")


def standby(found: GetDatabaseResponse) -> Verdict:
    """A standby has every commit, where one is demanded."""
    told = [one for one in found.settings if one.name == STANDBY]
    if not told:
        return unknown("the hub is older, and does not tell")
    if told[0].is_durable:
        return fine(told[0].value)
    return failed(told[0].value, "bring it back, or promote it if it is the primary that died")


def partitions(found: GetDatabaseResponse) -> Verdict:
    """There are partitions for the days to come."""
    days = found.partition_days_ahead
    fix = "a hub or relayer makes them hourly: look at their logs for `upkeep_failed`"
    return graded(-days, -3, 0, f"for {days} days", fix)


def connections(found: GetDatabaseResponse) -> Verdict:
    """There are connections left."""
    used = found.connection_count * _PERCENT // max(1, found.max_connection_count)
    detail = f"{found.connection_count} of {found.max_connection_count} in use"
    return graded(used, 80, 95, detail, "raise max_connections, or find who holds so many")


def dead_rows(found: GetDatabaseResponse) -> Verdict:
    """Rows that nobody sees any more are cleaned up."""
    bloated = [
        f"{table.name} ({table.dead_count} dead of {table.live_count + table.dead_count})"
        for table in found.tables
        if table.dead_count >= max(DEAD_LEAST, table.live_count)
    ]
    if bloated:
        fix = "look what keeps autovacuum from it: an old transaction, or its settings; then VACUUM"
        return warning(few(bloated), fix)
    return fine("no table has more dead rows than live ones")


def transactions(found: GetDatabaseResponse) -> Verdict:
    """No transaction is open for long."""
    try:
        oldest = duration_from_proto(found.oldest_transaction, "oldest_transaction")
    except FieldInvalid:
        oldest = Duration(0)
    fix = (
        "find it in pg_stat_activity by xact_start; pg_terminate_backend ends it, but never one"
        " whose wait_event is SyncRep"
    )
    return graded(oldest, MINUTE, 10 * MINUTE, f"the oldest for {shown(oldest)}", fix)


def locks(found: GetDatabaseResponse) -> Verdict:
    """Nobody waits for a lock."""
    count = found.waiting_session_count
    fix = "pg_blocking_pids tells who holds what they wait for"
    return graded(count, 3, 20, f"{count} sessions wait", fix)


def disk(found: GetDatabaseResponse) -> Verdict:
    """The database's disk has room."""
    if not found.disk_total_bytes:
        size = found.size_bytes // 2**20
        return unknown(f"the disk is another machine's; the database has {size} MiB")
    free = found.disk_free_bytes * _PERCENT // found.disk_total_bytes
    detail = f"{found.disk_free_bytes // GIB} GiB free, {free} %"
    fix = "grow the disk, or drop old days with `ydhub-server retire --keep-days`"
    return graded(-free, -20, -10, detail, fix)


def wraparound(found: GetDatabaseResponse) -> Verdict:
    """The database's transaction numbers last."""
    left = found.transactions_left
    fix = "let autovacuum freeze: end old transactions and prepared ones, then VACUUM FREEZE"
    return graded(-left, -500_000_000, -100_000_000, f"{left // 1_000_000} million left", fix)


def invariants(seen: Examined) -> Verdict:
    """What always holds, holds."""
    if seen.database is None or not seen.invariants_asked:
        return unknown("not asked; --invariants asks them, and reads whole tables")
    broken = [
        f"{one.name} ({one.violation_count} rows)"
        for one in seen.database.invariants
        if one.violation_count
    ]
    if broken:
        fix = "pause the lanes concerned, keep the database as it is, and report it"
        return failed(f"broken: {few(broken)}", fix)
    cut = [one.name for one in seen.database.invariants if one.unfinished]
    if cut:
        fix = "ask again at a quiet hour; the hub itself asks of the newest records each minute"
        return warning(f"not finished in time: {few(cut)}", fix)
    return fine(f"{len(seen.database.invariants)} hold")
