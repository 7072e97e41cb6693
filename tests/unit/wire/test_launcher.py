"""The launcher's frames; native/launcher is the other end, so the layouts are spelled out here."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import ProtocolError
from fleetcc.wire.launcher import (
    ANSWER_HEADER,
    MAX_REQUEST_BYTES,
    PREPROCESSED,
    REQUEST_HEADER,
    RESULT,
    WRITE_FAILED,
    ControlRequest,
    JobRequest,
    RequestHeader,
    decode_request,
    decode_request_header,
    encode_answer,
    encode_control_request,
    encode_job_request,
    encode_preprocess,
    encode_result,
)

JOB = JobRequest(
    version=b"0.1.0",
    program=b"/usr/bin/gcc",
    cwd=b"/tmp/a b",
    argv=(b"gcc", b"-c", b"\xff\n.c"),
    environment=(b"PATH=/bin", b"EMPTY="),
    umask=0o22,
    cwd_identity=(2, 3),
)

words = st.binary(max_size=12).filter(lambda word: b"\0" not in word)
jobs = st.builds(
    JobRequest,
    version=words,
    program=words,
    cwd=words,
    argv=st.lists(words, min_size=1, max_size=5).map(tuple),
    environment=st.lists(words, max_size=5).map(tuple),
    umask=st.integers(0, 0o777),
    cwd_identity=st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)),
)


def _decode(frame: bytes) -> JobRequest | ControlRequest:
    header = decode_request_header(frame[: REQUEST_HEADER.size])
    body = frame[REQUEST_HEADER.size :]
    assert header.length == len(body)
    return decode_request(header, body)


def test_the_headers_have_the_sizes_that_the_c_side_reads() -> None:
    assert (REQUEST_HEADER.size, ANSWER_HEADER.size) == (48, 8)
    assert (PREPROCESSED.size, RESULT.size, WRITE_FAILED.size) == (20, 8, 4)


def test_a_job_request_has_the_agreed_bytes() -> None:
    body = b"0.1.0\0/usr/bin/gcc\0/tmp/a b\0gcc\0-c\0\xff\n.c\0PATH=/bin\0EMPTY=\0"
    header = struct.pack("=4sIcBHIIIQQII", b"FLC1", len(body), b"J", 7, 0, 0o22, 3, 2, 2, 3, 0, 0)

    assert encode_job_request(JOB, 7) == header + body
    assert decode_request_header(header) == RequestHeader(len(body), b"J", 7, 0o22, 3, 2, 2, 3)
    assert _decode(header + body) == JOB


def test_a_job_request_tells_a_terminal() -> None:
    request = replace(JOB, is_terminal=True)
    data = encode_job_request(request, 0)
    assert data[10:12] == b"\x01\0"
    assert _decode(data) == request


@given(jobs, st.integers(0, 7))
def test_a_job_request_survives_the_journey(job: JobRequest, descriptors: int) -> None:
    assert _decode(encode_job_request(job, descriptors)) == job


@given(words, st.binary(max_size=40))
def test_a_control_request_survives_the_journey(version: bytes, body: bytes) -> None:
    assert _decode(encode_control_request(version, body)) == ControlRequest(version, body)


def test_a_control_request_needs_its_version() -> None:
    header = decode_request_header(encode_control_request(b"0.1.0", b"{}")[:48])

    with pytest.raises(ProtocolError, match="a control request without its version"):
        decode_request(header, b"0.1.0")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"magic": b"DIST"}, "launcher greeting b'DIST' where b'FLC1' was expected"),
        ({"length": MAX_REQUEST_BYTES + 1}, "launcher request of 25165825 bytes; the limit is 25165824"),
        ({"kind": ord("Q")}, "J and C are known"),
        ({"kind": 0}, "J and C are known"),
    ],
)
def test_a_bad_header_is_told_what_was_found(changed: dict[str, object], message: str) -> None:
    fields = {"magic": b"FLC1", "length": 0, "kind": ord("J")} | changed
    header = REQUEST_HEADER.pack(*fields.values(), 0, 0, 0, 1, 0, 0, 0, 0, 0)

    with pytest.raises(ProtocolError, match=message):
        decode_request_header(header)


def test_the_largest_request_is_allowed() -> None:
    header = REQUEST_HEADER.pack(b"FLC1", MAX_REQUEST_BYTES, ord("J"), 0, 0, 0, 1, 0, 0, 0, 0, 0)

    assert decode_request_header(header).length == MAX_REQUEST_BYTES


@pytest.mark.parametrize(
    ("arguments", "variables", "body", "message"),
    [
        (1, 0, b"v\0p\0d\0", "3 strings where 4 were announced"),
        (1, 0, b"v\0p\0d\0cc\0x\0", "5 strings where 4 were announced"),
        (1, 0, b"v\0p\0d\0cc", "3 strings where 4 were announced"),
        (1, 0, b"v\0p\0d\0cc\0x", "4 strings where 4 were announced"),
        (1, 0, b"", "0 strings where 4 were announced"),
        (0xFFFF_FFFF, 0xFFFF_FFFF, b"v\0", "1 strings where 8589934593 were announced"),
        (0, 1, b"v\0p\0d\0A=b\0", "a job request without a compiler"),
    ],
)
def test_a_bad_job_is_told_what_was_found(arguments: int, variables: int, body: bytes, message: str) -> None:
    header = RequestHeader(len(body), b"J", 0, 0, arguments, variables, 0, 0)

    with pytest.raises(ProtocolError, match=message):
        decode_request(header, body)


def test_answers_are_a_header_and_their_payload() -> None:
    assert encode_answer(b"X") == struct.pack("=cBHI", b"X", 0, 0, 0)
    assert encode_answer(b"F", b"why", flag=109) == struct.pack("=cBHI", b"F", 109, 0, 3) + b"why"


def test_a_request_to_preprocess_counts_its_arguments() -> None:
    assert encode_preprocess((b"gcc", b"-E"), with_dependencies=True) == (
        struct.pack("=cBHI", b"P", 1, 2, 7) + b"gcc\0-E\0"
    )
    assert encode_preprocess((b"gcc",), with_dependencies=False)[1] == 0


def test_a_result_tells_where_its_stderr_ends() -> None:
    assert encode_result(-1, b"out", b"error") == (
        struct.pack("=cBHI", b"R", 0, 0, 16) + struct.pack("=iI", -1, 5) + b"errorout"
    )
