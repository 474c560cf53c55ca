"""``--watch``: a list that goes on; what changes is a line more.

Where the hub goes away, or ends a stream that has lasted long, the watch dials again and goes on at
its resume token: nothing is missed, something may be told twice.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

import click
import grpc
from ydhub.hub.v1 import watch_service_pb2 as pb

from hub.cli.connection import connect
from hub.cli.output import Output, as_dict, word
from hub.wire.status import from_rpc_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub.cli.connection import Connection
    from hub.cli.options import Run

DIAL_EVERY_S: Final = 1.0

option = click.option("--watch", is_flag=True, help="Go on, and tell every change.")
resume_option = click.option(
    "--resume-token", default="", help="Of an earlier --watch: go on where it stopped."
)


async def follow(
    run: Run,
    method: Callable[[Connection], Any],
    request: Any,
    field: str,
    columns: Mapping[str, Callable[[Any], object]],
) -> None:
    """Tells every change of *method* from *request* on, until interrupted.

    *field* is where an answer holds its thing. Raises ``RemoteError`` where asking again is vain.
    """
    if run.output is Output.TABLE:
        click.echo("\t".join(["CHANGE", *columns]))
    while True:
        try:
            async with connect(run.settings()) as hub:
                async for answer in method(hub)(request):
                    _tell(run.output, answer, field, columns)
                    request.resume_token = answer.resume_token or request.resume_token
        except grpc.aio.AioRpcError as error:
            failure = from_rpc_error(error)
            if not failure.is_retryable or failure.reason is not None:
                raise failure from None
            click.echo(f"dials again: {error.code().name}", err=True)
        await asyncio.sleep(DIAL_EVERY_S)


def _tell(
    output: Output, answer: Any, field: str, columns: Mapping[str, Callable[[Any], object]]
) -> None:
    """One line; a bookmark is for programs alone."""
    if output is Output.JSON:
        click.echo(json.dumps(as_dict(answer), ensure_ascii=False))
        return
    if answer.change != pb.CHANGE_BOOKMARK:
        thing = getattr(answer, field)
        change = word(pb.Change, answer.change, "CHANGE_")
        cells = [str(cell(thing)) for cell in columns.values()]
        click.echo("\t".join([change, *cells]))
