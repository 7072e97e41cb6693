"""What the dispatcher knows of hosts and jobs: facts, needs, and which host can do which job. Values only."""

from dataclasses import dataclass
from enum import Enum

from fleetcc.model import Form, Priority


class HostType(Enum):
    """What answers at a host's address."""

    FLEET = "fleet"  # fleetccd: grants, identities, cancels
    STOCK = "stock"  # distccd: takes what it is sent, up to a limit that the host list names
    LOCAL = "local"  # this machine, by a `localhost` entry


class HostState(Enum):
    """How far a host is from taking jobs."""

    CONNECTING = "connecting"
    UP = "up"
    DRAINING = "draining"  # finishes what it has
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a host says of itself, or what its entry says of it."""

    type: HostType
    slots: int
    compilers: frozenset[str] = frozenset()  # identities; fleet hosts only
    forms: frozenset[Form] = frozenset(Form)
    is_looking: bool = False  # it is still finding out which compilers it has
    takes_files: bool = False  # it has a sandbox: no compiler is needed there, and no text made here
    takes_pump: bool = False  # stock hosts: distcc's protocol 3, files that it preprocesses itself


@dataclass(frozen=True, slots=True)
class Needs:
    """What a host must have to do a job."""

    identity: str | None  # of the compiler; None: it could not be determined, so no fleet host will do
    name: bytes  # the compiler's name for stock hosts
    forms: tuple[Form, ...]  # in which the text may travel, best first
    files: bool = False  # it may also travel as files
    pump: bool = False  # it may also travel in distcc's pump mode


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job as the dispatcher sees it."""

    number: int
    key: bytes  # in the history
    size: int  # of its text, in bytes
    group: str  # which hosts may do it
    needs: Needs
    priority: Priority = Priority.NORMAL
    attempts: int = 2  # hosts that may fail at it before it is given up


@dataclass(frozen=True, slots=True)
class Place:
    """One host of a group; RFC 2782's priority and weight where the host comes from an SRV record."""

    host: str
    tier: int = 0  # hosts of a higher tier are used when all of the lower ones are away
    weight: int = 0


def can_do(facts: Facts, needs: Needs) -> bool:
    """Would this host give the bytes that the job must have?"""
    match facts.type:
        case HostType.LOCAL:
            return True
        case HostType.STOCK:
            return Form.EXPANDED in needs.forms or (needs.pump and facts.takes_pump)
        case HostType.FLEET:
            if needs.files and facts.takes_files:
                return True
            if needs.identity not in facts.compilers:
                return False
            return any(form in facts.forms for form in needs.forms)


class Why(Enum):
    """Why the fleet gives a job up."""

    NO_HOSTS = "no hosts"
    ALL_FAILING = "all hosts are away or left alone"
    NO_SAME_COMPILER = "no host has this compiler"
    NO_FORM = "no host takes a form that keeps the bytes"
    NO_SANDBOX = "it can only travel as files, and no host takes those"
    FAILED = "the hosts that were tried failed"


class Prospect(Enum):
    """What can be expected of a group's hosts for a kind of job, when it is not given up."""

    READY = "ready"  # one that can do it is connected
    WAIT = "wait"  # one may turn out to be able


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection to the host; answer with host_up or host_down."""

    host: str


@dataclass(frozen=True, slots=True)
class Demand:
    """Tell the host that there are so many jobs for it; 0 takes that back."""

    host: str
    most: int
    priority: Priority


@dataclass(frozen=True, slots=True)
class Decline:
    """Give grants back."""

    host: str
    count: int


@dataclass(frozen=True, slots=True)
class Send:
    """The job is bound to this host."""

    job: int
    host: str
    is_race: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """The host need not do the job any more."""

    job: int
    host: str


@dataclass(frozen=True, slots=True)
class Surrender:
    """The fleet cannot do the job."""

    job: int
    why: Why


Instruction = Connect | Demand | Decline | Send | Cancel | Surrender
