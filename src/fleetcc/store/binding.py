"""A job's hold on a tree."""

from dataclasses import dataclass
from enum import Enum

from fleetcc.store.tree import Tree


class BindingState(Enum):
    """What may become of a job."""

    WAITING = "waiting"  # for blobs or the disk
    READY = "ready"  # it may start
    CHANGED = "changed"  # a file of it has changed at the client before it could be sent
    BROKEN = "broken"  # the server's disk failed, and the replica is a new one


@dataclass(slots=True, eq=False)
class Binding:
    """A tree that nobody changes until it is released. `tree.root` is what the job sees as `/`."""

    tree: Tree
    number: int  # the update that the job named
    needed: int  # the update that must be complete
    state: BindingState = BindingState.WAITING
    reason: str = ""  # of BROKEN
    is_released: bool = False
