"""From the head of a pump request to an order."""

from dataclasses import dataclass

from fleetcc.command.serverpump import PumpCommand, pump_argv, understand_pump
from fleetcc.command.serverside import Refused
from fleetcc.server.compilers import CompilerRules, Forbidden
from fleetcc.server.orders import Order
from fleetcc.server.pump_place import Place
from fleetcc.wire.pump import PumpHead


@dataclass(frozen=True, slots=True)
class PumpOrder(Order):
    """A compile whose preprocessor runs on this server too, on files that the client sends."""

    pump: PumpCommand
    cwd: bytes  # the client's

    def placed_argv(self, program: bytes, place: Place) -> list[bytes]:
        """The command line to run in this place."""
        return pump_argv(self.pump, program, place.output, place.depfile, place.prefix)


def understand_pump_request(head: PumpHead, rules: CompilerRules) -> PumpOrder | str:
    """An order, or the sentence that says why there is none."""
    command = understand_pump(head.argv)
    if isinstance(command, Refused):
        return command.sentence
    program = rules.resolve(command.facts.compiler)
    if isinstance(program, Forbidden):
        return program.sentence
    return PumpOrder(command.facts, program, b"", b"", command, head.cwd)
