"""What every channel does: deliver one message, and say what the other side said, or why not.

Answer          the other side has it; its own words
DeliveryError   it does not, or nobody can say; the reason, and whether to try again
"""

from dataclasses import dataclass
from typing import Protocol

from fluxd.core.errors import DeliveryError
from fluxd.core.message import Message

__all__ = ["Answer", "Channel", "DeliveryError"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said when it took the message, such as `204` or `250 queued as 4F1`."""

    text: str


class Channel(Protocol):
    """A way out. It holds its settings and no connection, so threads may share it."""

    def send(self, message: Message, timeout_s: float) -> Answer:
        """Deliver the message within `timeout_s`, names looked up and answers read included.

        Raises DeliveryError. One that may be tried again can have been delivered all the same (the
        answer was lost): channels whose service can tell hand over `message.key`.
        """
