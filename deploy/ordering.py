"""Events reach the automations as they arrive: PREFECT_SERVER_EVENTS_CAUSAL_ORDERING names this.

Prefect's own ordering holds an event back, for 15 minutes and in memory, until the one that it
follows has been seen; after a restart of the server that is the next event of every run, and a
second restart loses it. Our automations do not depend on the order.
"""

from prefect.server.events.ordering import memory
from prefect.server.events.schemas.events import ReceivedEvent


class CausalOrdering(memory.CausalOrdering):
    """Prefect's causal ordering without the wait."""

    async def wait_for_leader(self, event: ReceivedEvent) -> None:
        """Continue at once, whether or not the preceding event has been seen."""
        del event
