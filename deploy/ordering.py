"""Event order for automations, as they arrive (PREFECT_SERVER_EVENTS_CAUSAL_ORDERING).

Prefect's own ordering holds an event back, in memory and for up to 15 minutes, until its
predecessor has been seen. After a restart of the server that holds back the next event of every
run, and a second restart loses it. Our automations do not depend on the order.
"""

from prefect.server.events.ordering import memory
from prefect.server.events.schemas.events import ReceivedEvent


class CausalOrdering(memory.CausalOrdering):
    """Prefect's causal ordering without the wait."""

    async def wait_for_leader(self, event: ReceivedEvent) -> None:
        """Continue at once, whether or not the preceding event has been seen."""
        del event
