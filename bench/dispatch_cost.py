"""What the dispatcher costs: 32 hosts with 12 slots each, 400 jobs in flight; events as the agent has them.

Every event is its own turn of the event loop, with one settle and one next_deadline: the worst case.
"""

import random
import sys
import time
from collections import deque

from fleetcc.model import Form
from fleetcc.scheduling.dispatch import Dispatcher
from fleetcc.scheduling.fleet import Demand, Facts, HostType, Instruction, JobSpec, Needs, Place, Send
from fleetcc.scheduling.history import History

HOSTS, SLOTS, IN_FLIGHT = 32, 12, 400
NEEDS = Needs("0" * 64, b"g++", (Form.EXPANDED,))
TURN_SECONDS = 0.005


class Driver:
    """Plays all hosts: grants when a slot is free, ends the oldest jobs first."""

    def __init__(self, history: History) -> None:
        self.dispatcher = Dispatcher(history, random.Random(1))
        self.now = 0.0
        self.turns = 0
        self.wanted = dict.fromkeys((f"h{number}" for number in range(HOSTS)), 0)
        self.running = dict.fromkeys(self.wanted, 0)
        self.sent: deque[tuple[int, str, float]] = deque()

    def apply(self, instructions: list[Instruction]) -> None:
        """Do what the dispatcher says."""
        for instruction in instructions:
            if isinstance(instruction, Send):
                self.sent.append((instruction.job, instruction.host, self.now))
            elif isinstance(instruction, Demand):
                self.wanted[instruction.host] = instruction.most

    def turn(self) -> None:
        """The end of one turn of the event loop."""
        self.turns += 1
        self.now += TURN_SECONDS
        self.apply(self.dispatcher.settle(self.now))
        self.dispatcher.next_deadline(self.now)

    def grant(self) -> None:
        """Every host that has a slot and a demand grants one."""
        for host, most in self.wanted.items():
            if most and self.running[host] < SLOTS:
                self.wanted[host] -= 1
                before = len(self.sent)
                self.apply(self.dispatcher.granted(host, 1, self.now))
                if len(self.sent) > before:
                    self.running[host] += 1
                    self.dispatcher.started(self.sent[-1][0], host, self.now)
                self.turn()

    def build(self, jobs: int) -> None:
        """Submit, and end the oldest, until all are done."""
        submitted = done = 0
        while done < jobs:
            while submitted < jobs and submitted - done < IN_FLIGHT:
                submitted += 1
                key = b"%d" % submitted
                self.dispatcher.submit(JobSpec(submitted, key, 100_000 + submitted, "all", NEEDS))
                self.turn()
            self.grant()
            if not self.sent:
                self.turn()
                continue
            job, host, since = self.sent.popleft()
            self.running[host] -= 1
            self.apply(self.dispatcher.finished(job, host, self.now, self.now - since + 0.001))
            done += 1
            self.turn()


def main() -> None:
    """Print microseconds for each job, without and with a history."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    history = History()
    for name in ("no history", "with history"):
        driver = Driver(history)
        driver.dispatcher.set_group("all", [Place(host) for host in driver.wanted])
        for host in driver.wanted:
            driver.dispatcher.host_up(host, Facts(HostType.FLEET, SLOTS, frozenset({"0" * 64})))
        start = time.perf_counter()
        driver.build(jobs)
        each = (time.perf_counter() - start) / jobs * 1e6
        print(f"{name}: {each:.0f} us for each of {jobs} jobs, {driver.turns / jobs:.1f} settles for each")


if __name__ == "__main__":
    main()
