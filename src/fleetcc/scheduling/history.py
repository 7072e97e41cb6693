"""How long jobs take and how fast hosts are, learned from what was seen. Pure: no clock, no files.

Theory of operation. A job is known by its source and output; what is kept of it is the seconds that its
last run took and on which host. A host's speed is relative: 1.0 is the fleet's ordinary host. Both are
learned from the same observations, because

    log seconds of a job on a host = log standard seconds of the job - log speed of the host

which leaves open by what all speeds could be multiplied if all jobs were: so the mean of the log speeds is
subtracted wherever they are used, and is what is believed of a host that nothing is known of.

When a job that was seen on host g runs on host h, the two times tell h's speed relative to g's; when a job is
new, its time is compared with that of the population, which tells little and therefore moves little. Each log
speed is a mean with a variance, updated as by a Kalman filter whose state is diagonal; the variance
grows with every observation of anything, so that a machine whose owner starts a film is believed soon.

A record keeps seconds and host rather than standard seconds, so that a speed which is learned later
corrects the predictions that rest on earlier runs.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import exp, log, sqrt
from typing import Final

# The longest job is some hours; the clock of an observation shows nothing shorter than this.
SHORTEST_SECONDS: Final = 0.001
# What a build of a big project leaves, times ten.
MOST_RECORDS: Final = 200_000
MOST_HOSTS: Final = 2_000

# Hosts of one fleet differ by a factor of two either way (one standard deviation).
_PRIOR_VARIANCE: Final = log(2.0) ** 2
# The same job on the same host varies by some 15 %, with what else runs there.
_REPEAT_VARIANCE: Final = 0.15**2
# Durations of one project's units spread by a factor of 2.2; less is not believed from a few.
_POPULATION_VARIANCE: Final = 0.8**2
# What a host's speed may drift by with one observation.
_DRIFT_VARIANCE: Final = 0.0002
# Between two looks at a host that has not been heard of, as a new process: owners change.
_RELOAD_VARIANCE: Final = 0.05

# Nobody is 150 times as fast as the others.
_MOST_LOG_SPEED: Final = 5.0

# How a job's duration follows the size of its text where nothing else is known: shrunk towards this.
_SIZE_EXPONENT: Final = 0.0
_SIZE_WEIGHT: Final = 20.0


@dataclass(frozen=True, slots=True)
class Record:
    """One job's last run."""

    seconds: float
    host: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a job takes on a host of speed 1.0."""

    seconds: float
    is_known: bool  # seen before; else the population's mean, by size


@dataclass(frozen=True, slots=True)
class HostSpeed:
    """One host's speed as it can be stored."""

    log_speed: float
    variance: float


@dataclass(slots=True)
class _Population:
    """Running moments of log seconds and log size over all jobs."""

    count: float = 0.0
    mean: float = 0.0  # of log standard seconds
    spread: float = 0.0  # sum of squares around the mean
    size_mean: float = 0.0
    size_spread: float = 0.0
    together: float = 0.0

    def add(self, log_seconds: float, log_size: float) -> None:
        self.count += 1
        step = log_seconds - self.mean
        size_step = log_size - self.size_mean
        self.mean += step / self.count
        self.size_mean += size_step / self.count
        self.spread += step * (log_seconds - self.mean)
        self.size_spread += size_step * (log_size - self.size_mean)
        self.together += size_step * (log_seconds - self.mean)

    @property
    def variance(self) -> float:
        """Of log seconds; the prior counts as five observations."""
        return (self.spread + 5 * _POPULATION_VARIANCE) / (self.count + 5)

    def log_seconds(self, log_size: float) -> float:
        """The expected log of a job of this size."""
        slope = (self.together + _SIZE_WEIGHT * _SIZE_EXPONENT) / (self.size_spread + _SIZE_WEIGHT)
        return self.mean + slope * (log_size - self.size_mean)


@dataclass(slots=True)
class History:
    """Everything learned; `records` and `speeds` are what is worth keeping on disk."""

    records: OrderedDict[bytes, Record] = field(default_factory=OrderedDict)
    _speeds: dict[str, HostSpeed] = field(default_factory=dict)
    _population: _Population = field(default_factory=_Population)
    _sum: float = 0.0  # of all log speeds

    def predict(self, key: bytes, size: int) -> Prediction:
        """Seconds on an ordinary host; `size` of the text where the job is new."""
        record = self.records.get(key)
        if record is not None:
            return Prediction(record.seconds * self.speed(record.host), is_known=True)
        if not self._population.count:
            return Prediction(1.0, is_known=False)
        expected = self._population.log_seconds(log(max(1, size)))
        # The mean of a log-normal is above its median.
        return Prediction(exp(expected + self._population.variance / 2), is_known=False)

    def speed(self, host: str) -> float:
        """Relative to the ordinary host, 1.0."""
        known = self._speeds.get(host)
        return exp(known.log_speed - self._mean) if known is not None else 1.0

    def uncertainty(self, host: str) -> float:
        """The standard deviation of the log of a host's speed."""
        return sqrt(self._speed(host).variance)

    def learn(self, key: bytes, size: int, host: str, seconds: float) -> None:
        """A job took so long on a host, from the compiler's start to its end."""
        seconds = max(SHORTEST_SECONDS, seconds)
        record = self.records.get(key)
        if record is None:
            self._compare_with_population(host, size, seconds)
        elif record.host != host:
            self._compare_hosts(host, record.host, log(record.seconds / seconds))
        standard = log(seconds) + self._speed(host).log_speed - self._mean
        self._population.add(standard, log(max(1, size)))
        self.records[key] = Record(seconds, host)
        self.records.move_to_end(key)
        if len(self.records) > MOST_RECORDS:
            self.records.popitem(last=False)

    def forget_host(self, host: str) -> None:
        """The host is not what it was; its speed is unknown again."""
        known = self._speeds.pop(host, None)
        if known is not None:
            self._sum -= known.log_speed

    @property
    def speeds(self) -> dict[str, HostSpeed]:
        """Every host's speed, to be stored."""
        mean = self._mean
        return {
            host: HostSpeed(known.log_speed - mean, known.variance) for host, known in self._speeds.items()
        }

    def restore(self, records: Iterable[tuple[bytes, Record]], speeds: dict[str, HostSpeed]) -> None:
        """Take over what an earlier process has stored; the newest record comes last."""
        for host, speed in speeds.items():
            self._set(host, speed.log_speed, speed.variance + _RELOAD_VARIANCE)
        for key, record in records:
            self.records[key] = record
            log_seconds = log(max(SHORTEST_SECONDS, record.seconds)) + log(self.speed(record.host))
            self._population.add(log_seconds, self._population.size_mean)

    @property
    def _mean(self) -> float:
        return self._sum / len(self._speeds) if self._speeds else 0.0

    def _speed(self, host: str) -> HostSpeed:
        return self._speeds.get(host) or HostSpeed(self._mean, _PRIOR_VARIANCE)

    def _compare_with_population(self, host: str, size: int, seconds: float) -> None:
        if self._population.count < 3:  # a mean of two says nothing
            return
        expected = self._population.log_seconds(log(max(1, size)))
        known = self._speed(host)
        variance = known.variance + _DRIFT_VARIANCE
        gain = variance / (variance + self._population.variance)
        innovation = expected - log(seconds) - (known.log_speed - self._mean)
        self._set(host, known.log_speed + gain * innovation, variance * (1 - gain))

    def _compare_hosts(self, host: str, other: str, difference: float) -> None:
        """`difference`: by how much the log speed of `host` seems above that of `other`."""
        ours, theirs = self._speed(host), self._speed(other)
        our_variance = ours.variance + _DRIFT_VARIANCE
        their_variance = theirs.variance + _DRIFT_VARIANCE
        total = our_variance + their_variance + 2 * _REPEAT_VARIANCE
        innovation = difference - (ours.log_speed - theirs.log_speed)
        # One job whose inputs changed must not turn the picture round.
        limit = 3 * sqrt(total)
        innovation = max(-limit, min(limit, innovation))
        our_gain, their_gain = our_variance / total, their_variance / total
        self._set(host, ours.log_speed + our_gain * innovation, our_variance * (1 - our_gain))
        self._set(other, theirs.log_speed - their_gain * innovation, their_variance * (1 - their_gain))

    def _set(self, host: str, log_speed: float, variance: float) -> None:
        known = self._speeds.get(host)
        if known is not None:
            self._sum -= known.log_speed
        elif len(self._speeds) >= MOST_HOSTS:
            self.forget_host(next(iter(self._speeds)))
        mean = self._mean
        log_speed = max(mean - _MOST_LOG_SPEED, min(mean + _MOST_LOG_SPEED, log_speed))
        self._speeds[host] = HostSpeed(log_speed, variance)
        self._sum += log_speed
