"""What runs by the clock; every line may run early, late or twice without harm."""

from app.services import attachments
from app.tasks import runner

UNSAVED_HOURS = 24


def sweep_unsaved() -> int:
    """Delete uploads whose form was never saved."""
    return attachments.sweep_unsaved(UNSAVED_HOURS)


SCHEDULE: runner.Schedule = {
    # name: (every so many seconds, what)
    "jobs.sweep": (15, runner.sweep),
    "attachments.sweep_unsaved": (3600, sweep_unsaved),
}
