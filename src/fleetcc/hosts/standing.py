"""What is known of one question to a name service, and when to ask it again. Pure: `now` in, deadline out.

* An answer counts for as long as its TTL says, within MIN_TTL and MAX_TTL.
* A failure says nothing about the name: the last good answer stays, and the question is asked again after
  1, 2, 4 ... 30 s.
* An empty answer does say something: nobody is there. A server that has just lost its zone says the same, so
  whoever was there leaves only when a second empty answer comes, at least CONFIRM_SECONDS after the first.
* What stays in an answer keeps its place, since name servers turn their lists round with every reply.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, TypeAlias, assert_never

MIN_TTL: Final = 1.0
MAX_TTL: Final = 3600.0
# An empty answer may count for hours by its SOA; a build that waits for a host does not.
MAX_EMPTY_TTL: Final = 30.0
MAX_RETRY: Final = 30.0
CONFIRM_SECONDS: Final = 1.0
# Far more than anybody writes into a zone, and few enough that a doubling cannot overflow.
_MOST_DOUBLINGS: Final = 10


class RecordKind(Enum):
    """What is asked about a name: a DNS record type, or the addresses that the system's resolver knows."""

    A = "A"
    AAAA = "AAAA"
    SRV = "SRV"
    TXT = "TXT"
    SYSTEM = "system resolver"


@dataclass(frozen=True, slots=True)
class Question:
    """One name, one kind of record."""

    name: str
    kind: RecordKind


@dataclass(frozen=True, slots=True)
class Records:
    """A good answer, each record as its text in a zone file (a TXT record: one of its strings)."""

    values: tuple[str, ...]
    ttl: float


@dataclass(frozen=True, slots=True)
class Absent:
    """A good answer that there is nothing."""

    sentence: str
    ttl: float


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer, or one that cannot be used."""

    sentence: str


Reply: TypeAlias = Records | Absent | Failure


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known now."""

    values: tuple[str, ...] = ()  # of the last good answer
    due: float | None = None  # when to ask again; None: never asked
    trouble: str | None = None  # what the last reply said, unless it had records
    failures: int = 0  # in a row
    emptied_at: float | None = None  # when the first of the empty replies came that doubt `values`

    @property
    def is_asked(self) -> bool:
        """Whether there was any reply yet."""
        return self.due is not None

    @property
    def is_doubted(self) -> bool:
        """Whether the values are about to leave unless the next answer has them again."""
        return self.emptied_at is not None

    def is_due(self, now: float) -> bool:
        """Whether it is time to ask."""
        return self.due is None or self.due <= now


def learn(standing: Standing, reply: Reply, now: float) -> Standing:
    """What is known after this reply."""
    match reply:
        case Records(values=()):
            return _emptied(standing, Absent("an empty answer", reply.ttl), now)
        case Records():
            ttl = min(max(reply.ttl, MIN_TTL), MAX_TTL)
            return Standing(_kept_in_place(standing.values, reply.values), now + ttl)
        case Absent():
            return _emptied(standing, reply, now)
        case Failure():
            wait = min(2.0 ** min(standing.failures, _MOST_DOUBLINGS), MAX_RETRY)
            return replace(standing, due=now + wait, trouble=reply.sentence, failures=standing.failures + 1)
    assert_never(reply)


def _emptied(standing: Standing, reply: Absent, now: float) -> Standing:
    if standing.values:
        since = now if standing.emptied_at is None else standing.emptied_at
        if now - since < CONFIRM_SECONDS:
            due = since + CONFIRM_SECONDS
            return Standing(standing.values, due, reply.sentence, emptied_at=since)
    ttl = min(max(reply.ttl, MIN_TTL), MAX_EMPTY_TTL)
    return Standing((), now + ttl, reply.sentence)


def _kept_in_place(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    there = dict.fromkeys(new)
    stayed = [value for value in old if value in there]
    return tuple(dict.fromkeys([*stayed, *new]))
