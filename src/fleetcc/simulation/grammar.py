"""The little language of `fleetcc simulate`: `8@1 4@0.5`, `a@20`, `a@10-30*0.5`. Pure."""

import re
from dataclasses import replace
from math import inf
from typing import Final

from fleetcc.simulation.scenario import Load, SimHost

_HOST: Final = re.compile(r"(?:(?P<count>\d+)x)?(?P<slots>\d+)(?:@(?P<speed>[\d.]+))?")
_EVENT: Final = re.compile(r"(?P<host>[^@]+)@(?P<time>[\d.]+)")
_LOAD: Final = re.compile(r"(?P<host>[^@]+)@(?P<start>[\d.]+)-(?P<end>[\d.]*)\*(?P<factor>[\d.]+)")
_MOST_HOSTS: Final = 2_000


def parse_hosts(text: str) -> tuple[SimHost, ...]:
    """`SLOTS@SPEED` or `COUNTxSLOTS@SPEED` each; they are named h1, h2, ... Raises ValueError."""
    hosts: list[SimHost] = []
    for word in text.split():
        match = _HOST.fullmatch(word)
        if match is None:
            raise ValueError(
                f"{word!r} where SLOTS@SPEED or COUNTxSLOTS@SPEED was expected, as in 8@1 or 3x4@0.5"
            )
        count, slots = int(match["count"] or 1), int(match["slots"])
        speed = _number(match["speed"] or "1", word)
        if not slots or not speed or not count:
            raise ValueError(f"{word!r} is no host: slots and speed must be above 0")
        if len(hosts) + count > _MOST_HOSTS:
            raise ValueError(f"more than {_MOST_HOSTS} hosts")
        hosts += [SimHost(f"h{len(hosts) + 1 + each}", slots, speed) for each in range(count)]
    if not hosts:
        raise ValueError("no hosts: name at least one, as in 8@1")
    return tuple(hosts)


def with_event(hosts: tuple[SimHost, ...], field: str, text: str) -> tuple[SimHost, ...]:
    """`HOST@TIME` for `joins`, `leaves` or `dies`. Raises ValueError."""
    match = _EVENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} where HOST@SECONDS was expected, as in h2@20")
    return _replaced(hosts, match["host"], {field: _number(match["time"], text)})


def with_load(hosts: tuple[SimHost, ...], text: str) -> tuple[SimHost, ...]:
    """`HOST@START-END*FACTOR`; without END: for ever. Raises ValueError."""
    match = _LOAD.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} where HOST@START-END*FACTOR was expected, as in h2@10-30*0.5")
    end = _number(match["end"], text) if match["end"] else inf
    load = Load(_number(match["start"], text), end, _number(match["factor"], text))
    if not load.factor or load.end <= load.start:
        raise ValueError(f"{text!r}: the factor must be above 0, and the end after the start")
    known = next((host.loads for host in hosts if host.name == match["host"]), ())
    return _replaced(hosts, match["host"], {"loads": (*known, load)})


def _replaced(hosts: tuple[SimHost, ...], name: str, change: dict[str, object]) -> tuple[SimHost, ...]:
    if all(host.name != name for host in hosts):
        raise ValueError(f"{name!r} is none of the hosts h1 to h{len(hosts)}")
    return tuple(replace(host, **change) if host.name == name else host for host in hosts)  # type: ignore[arg-type]


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} in {where!r} is not a number") from None
