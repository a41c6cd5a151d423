"""What a client of `flower.py` does, where Flower's own processes can import it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from training import Loop, drawn

from cosim.learning.base.base_model import load
from cosim.learning.training.lesson import Batch

if TYPE_CHECKING:
    from flwr.app import Context, Message
    from flwr.clientapp import ClientApp

Arrays = list[np.ndarray]


# Of PEFT's loops in `training.py`: the base's dtype, and whether the loop is tuned.
LOOPS = {
    "float32": ("float32", False),
    "bfloat16": ("bfloat16", False),
    "tuned": ("bfloat16", True),
}


@lru_cache(maxsize=1)
def client_loop(name: str, model: str, rank: int, steps: int) -> Loop:
    """PEFT's loop over one adapter; the process keeps its model for the clients after."""
    torch.set_num_threads(1)
    dtype, tuned = LOOPS[name]
    return Loop(load(model, dtype).model, 1, rank, steps, tuned=tuned)


def trained(loop: Loop, arrays: Arrays, batch: Batch) -> tuple[Arrays, float]:
    """B of every adapted layer after local fine-tuning that began at these, and the mean loss."""
    own = loop.trained[loop.names[0]]
    with torch.no_grad():
        for parameter, array in zip(own, arrays, strict=True):
            parameter.copy_(torch.from_numpy(array))
    loss = loop([batch])
    return [parameter.detach().float().numpy() for parameter in own], loss


def client_app(name: str, model: str, rank: int, steps: int, rows: int, tokens: int) -> ClientApp:
    """A client per partition, each with the rows that cosim's device of that number has."""
    from flwr.app import ArrayRecord, MetricRecord, RecordDict
    from flwr.app import Message as Reply
    from flwr.clientapp import ClientApp

    app = ClientApp()

    @app.train()  # type: ignore[untyped-decorator]
    def train(message: Message, context: Context) -> Message:
        place = context.node_config
        loop = client_loop(name, model, rank, steps)
        base: Any = loop.peft.get_base_model()
        vocabulary = base.config.vocab_size
        clients, number = int(place["num-partitions"]), int(place["partition-id"])
        batch = drawn(clients, rows, tokens, vocabulary)[number]
        start = message.content["arrays"].to_numpy_ndarrays(keep_input=False)
        arrays, loss = trained(loop, start, batch)
        told = MetricRecord({"num-examples": len(batch), "loss": loss})
        content = RecordDict({"arrays": ArrayRecord(arrays), "metrics": told})
        return Reply(content=content, reply_to=message)

    return app
