"""What an administrator decided about one server; made by the CLI, read by everybody here."""

from dataclasses import dataclass

from fleetcc.server.access import AccessList
from fleetcc.server.compilers import CompilerRules


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """One server's settings. Times in seconds; 0 means without limit where a field says so."""

    access: AccessList
    compilers: CompilerRules
    state_directory: str
    temporary_directory: str
    slots: int
    load_limit: float  # 0: the load average never matters
    store_bytes: int  # blobs, and as many again for replicas
    job_memory_bytes: int  # of each process of a job made of files; 0: without limit
    job_disk_bytes: int  # what a job made of files may write
    memory_reserve_bytes: int  # 0: memory never matters
    queue_timeout_seconds: float
    io_timeout_seconds: float  # without a byte sent or taken by a client that has to
    ping_seconds: float  # a fleet client from which nothing comes for so long is gone
    job_lifetime_seconds: float  # 0: for ever
    drain_timeout_seconds: float
    lifetime_seconds: float  # 0: for ever; tests end their servers by it
    max_waiting: int
    is_announced: bool  # on the local network, by mDNS
    is_watched: bool = False  # by --http, --stats or both: counts are right from the start
