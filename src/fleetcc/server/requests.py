"""From what came on a connection of distcc's protocols to an order, and to the job that carries it out."""

from typing import TYPE_CHECKING, TypeAlias

from fleetcc.server.distcc_job import DistccJob, text_source
from fleetcc.server.job import Compile
from fleetcc.server.orders import Order
from fleetcc.server.pump_job import PumpJob
from fleetcc.server.pump_orders import PumpOrder, understand_pump_request
from fleetcc.server.stats import Kind
from fleetcc.server.watch import Life
from fleetcc.wire.distcc import RequestBody, RequestHead
from fleetcc.wire.pump import PumpBody, PumpHead

if TYPE_CHECKING:
    from fleetcc.server.connection import Connection
    from fleetcc.server.gate import Ticket
    from fleetcc.server.service import Service, Work

Head: TypeAlias = RequestHead | PumpHead
Body: TypeAlias = RequestBody | PumpBody


def order_for(service: "Service", head: Head) -> Order | str:
    """What a request asks for, or the sentence that refuses it."""
    if isinstance(head, PumpHead):
        return understand_pump_request(head, service.options.compilers)
    return service.order(head)


def life_for(service: "Service", client: str, order: Order) -> Life:
    """The beginning of the job that a request will be."""
    kind: Kind = "pump" if isinstance(order, PumpOrder) else "distcc"
    return service.watch.job(kind, client, order.file, order.compiler_name)


def job_for(
    service: "Service",
    connection: "Connection",
    head: Head,
    order: Order,
    ticket: "Ticket",
    life: Life,
    body: Body,
) -> "Work":
    """The job of a request that is complete."""
    if isinstance(body, PumpBody):
        assert isinstance(order, PumpOrder)
        return PumpJob(service, connection, order, ticket, life, body)
    source = text_source(head.protocol, body.raw)
    work = Compile(service, life, order, ticket, source)
    return DistccJob(service, connection, head.protocol, order, ticket, work)


def body_bytes(body: Body) -> int:
    """What came."""
    return len(body.raw) if isinstance(body, RequestBody) else body.raw_bytes
