"""Invariant: any header and any body are one ProtocolError or a request; a job is exactly what was sent."""

import sys
from pathlib import Path
from random import Random
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, only fuzz/ is on it

from fleetcc.errors import ProtocolError
from fleetcc.wire.launcher import (
    REQUEST_HEADER,
    JobRequest,
    decode_request,
    decode_request_header,
    encode_control_request,
    encode_job_request,
)
from fuzz import campaign

_JOB: Final = JobRequest(b"0.1.0", b"/usr/bin/cc", b"/tmp", (b"cc", b"-c", b"a.c"), (b"A=b",), 0o22, (1, 2))
SEEDS: Final = (
    encode_job_request(_JOB, 7),
    encode_job_request(JobRequest(b"", b"", b"", (b"",), (), 0, (0, 0)), 0),
    encode_control_request(b"0.1.0", b'{"verb": "status"}'),
)


def check(data: bytes, _: Random) -> None:
    """Take the input apart as header and body."""
    data = data.ljust(REQUEST_HEADER.size, b"\0")
    body = data[REQUEST_HEADER.size :]
    try:
        header = decode_request_header(data[: REQUEST_HEADER.size])
        request = decode_request(header, body)
    except ProtocolError:
        return
    if isinstance(request, JobRequest):
        assert encode_job_request(request, header.descriptors)[REQUEST_HEADER.size :] == body


if __name__ == "__main__":
    campaign.main(check, SEEDS)
