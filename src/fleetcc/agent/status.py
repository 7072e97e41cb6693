"""What `fleetcc status` shows of the jobs and hosts of an agent."""

from fleetcc.agent.local_slots import Use
from fleetcc.agent.services import Services

_RECENT_JOBS = 20


def status_of(services: Services) -> dict[str, object]:
    """As it is now, for JSON."""
    stories, local = services.stories, services.local
    return {
        "hosts": services.fleet.snapshot(),
        "local": {
            "processors": services.processors,
            "compiling": local.taken[Use.COMPILE],
            "preprocessing": local.taken[Use.PREPROCESS],
            "waiting": sum(local.waiting_count(use) for use in Use),
        },
        "waiting_for_hosts": services.fleet.waiting,
        "races": services.fleet.races,
        "files": services.inputs.counts.as_json(),
        "verified": services.verified.count,
        "differed": services.verified.differed,
        "differences": list(services.verified.told),
        "jobs": [story.as_json() for story in stories.running.values()],
        "recent": [story.as_json() for story in list(stories.recent)[-_RECENT_JOBS:]],
        "total": stories.total,
        "cancelled": stories.cancelled,
        "by_reason": dict(stories.by_reason),
        "by_host": dict(stories.by_host),
    }
