"""How far each receiver has followed what others renew message by message."""

from __future__ import annotations

from cosim.methods.message import Message, Renewed

Versions = dict[str, int]


class Copies:
    """Copies are what receivers keep of factors that their senders renew in parts.

    had: version by name of what a receiver has mixed, by (sender, receiver).
    arrived: what has arrived since, which is lost with a receiver that is cut off.
    """

    def __init__(self) -> None:
        self.had: dict[tuple[int, int], Versions] = {}
        self.arrived: dict[tuple[int, int], Versions] = {}

    def of(self, sender: int, receiver: int) -> Versions:
        """The newest version of each factor that a receiver has."""
        pair = sender, receiver
        return {**self.had.get(pair, {}), **self.arrived.get(pair, {})}

    def hear(self, message: Message, receiver: int) -> None:
        """A message has arrived whole, with all that its receiver had missed."""
        versions = {
            item.name: item.version for item in message.content if isinstance(item, Renewed)
        }
        if versions:
            self.arrived[message.device, receiver] = self.of(message.device, receiver) | versions

    def mix(self, receiver: int) -> None:
        """What has arrived stays with a receiver that mixes."""
        for pair in [pair for pair in self.arrived if pair[1] == receiver]:
            self.had[pair] = self.arrived.pop(pair)

    def lose(self, receiver: int) -> None:
        """What has arrived since a receiver last mixed is lost."""
        self.arrived = {pair: had for pair, had in self.arrived.items() if pair[1] != receiver}
