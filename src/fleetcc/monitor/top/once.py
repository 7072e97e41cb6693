"""`fleetcc top --once`: the same rows as text, once, for scripts and pipes. Needs no textual."""

import socket

import msgspec

from fleetcc.errors import FleetccError
from fleetcc.monitor.events import STREAM_VERSION, Hello, decode
from fleetcc.monitor.picture import Picture
from fleetcc.monitor.top.host_rows import host_heading, host_rows
from fleetcc.monitor.top.job_rows import Look, chosen_jobs, job_heading, job_row
from fleetcc.monitor.top.rows import Glyphs, Row, reason_heading, reason_rows
from fleetcc.monitor.top.summary import summary_rows


def first_picture(connection: socket.socket) -> Picture:
    """The picture that the agent begins with; raises FleetccError when it ends before."""
    picture = Picture()
    with connection, connection.makefile("rb") as lines:
        try:
            hello = decode(lines.readline())
        except (msgspec.DecodeError, OSError) as error:
            raise FleetccError(f"the agent's first line is not the picture of now: {error}") from error
    if not isinstance(hello, Hello) or hello.version != STREAM_VERSION:
        raise FleetccError(
            f"the agent's events are not of version {STREAM_VERSION}; `fleetcc agent stop`, "
            "then the next compile starts one of this version"
        )
    picture.take(hello)
    return picture


def plain_frame(picture: Picture, now: float, most: int, glyphs: Glyphs) -> str:
    """Everything, one row a line, no wider than `most` cells."""
    look = Look()
    jobs = chosen_jobs(picture, look)
    rows: list[Row] = [
        *summary_rows(picture, now, None, most),
        Row("", ()),
        host_heading(picture, most),
        *host_rows(picture, now, most, glyphs),
        Row("", ()),
        job_heading(look, len(jobs), len(jobs), most),
        *(job_row(job, now, most) for job in jobs),
        Row("", ()),
        reason_heading(picture, most),
        *reason_rows(picture, most),
    ]
    return "\n".join(row.text for row in rows)
