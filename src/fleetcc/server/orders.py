"""From a request's head or a fleet job to an order: which program may run, on which arguments; or why not."""

import os
import re
from dataclasses import dataclass
from typing import Final

from fleetcc.command.directives import Prepared
from fleetcc.command.serverside import Refused, ServerCommand, server_argv, understand
from fleetcc.model import Form
from fleetcc.server.compilers import CompilerRules, Forbidden, Missing, Program
from fleetcc.wire.distcc import RequestHead
from fleetcc.wire.fleet import Job

# A preprocessed source, plain or packed. The largest real ones, tables turned into arrays, have some 100 MB.
MAX_SOURCE_BYTES: Final = 512 << 20
_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9._+-]")
_MAX_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Order:
    """A compile that this server will carry out."""

    command: ServerCommand
    program: Program | Missing
    input_name: bytes
    output_name: bytes

    @property
    def compiler_name(self) -> str:
        """As the client called it."""
        return _printable(self.command.compiler)

    @property
    def file(self) -> str:
        """The source as the client called it."""
        return _printable(self.command.source)

    @property
    def summary(self) -> str:
        """For people who look at a slot."""
        return f"{self.compiler_name} {self.file}"

    def compiler_argv(self, program: bytes, folder: bytes, prepared: Prepared | None) -> list[bytes]:
        """The command line to run in this folder."""
        # Relative names keep the folder's random one out of objects whose source has no line markers.
        source = os.path.join(folder, self.input_name) if prepared is not None else self.input_name
        return server_argv(self.command, program, source, self.output_name, prepared)


def understand_request(head: RequestHead, rules: CompilerRules) -> Order | str:
    """An order, or the sentence that says why there is none."""
    command = understand(head.argv)
    if isinstance(command, Refused):
        return command.sentence
    program = rules.resolve(command.compiler)
    if isinstance(program, Forbidden):
        return program.sentence
    return _order(command, program)


def understand_job(job: Job, program: bytes) -> Order | str:
    """The same for a job of a fleet client, whose program is the one with the identity that it names."""
    name = job.argv[0] if job.argv else b""
    if b"/" in name:
        return f"compiler {name!r}: a name without a directory was expected"
    command = understand(job.argv, Form(job.form))
    if isinstance(command, Refused):
        return command.sentence
    return _order(command, Program(program))


def _order(command: ServerCommand, program: Program | Missing) -> Order:
    return Order(command, program, _input_name(command), b"output.o")


def _input_name(command: ServerCommand) -> bytes:
    """The client's own name for its source, as far as it is harmless: it may end up in the object."""
    stem = os.path.splitext(os.path.basename(command.source))[0]
    safe = _UNSAFE.sub(b"_", stem)[:_MAX_NAME]
    if not safe or safe.startswith((b"-", b".")):
        safe = b"_" + safe
    return safe + b"." + command.suffix


def _printable(word: bytes) -> str:
    text = word.decode(errors="backslashreplace")
    return text if text.isprintable() and " " not in text else repr(text)
