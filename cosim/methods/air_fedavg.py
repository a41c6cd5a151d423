"""`air_fedavg`: what devices send at once is added up by the air, and averaged as it is heard.

AirFedAvg (arXiv 2310.10089, a tutorial): devices that invert their channels and send real values at
once reach a receiver as a sum in its noise, in a time that does not grow with their number. Errors
of a model never cease, those of differences shrink with the signal, so differences are sent.

Theirs is a server. Ours: every device is the receiver in a turn of its own, in the order of a
colouring of the round's graph. All hear all, since a receiver adds what others' training changed to
what it had itself; over other graphs `aggregation: {name: superposed_mean, sends: model}` brings
devices nearer to each other. A scenario has the air add up with `radio: {access: air}`; over
digital links this is the uniform mean of differences.
"""

from cosim.methods.aggregation.superposed_mean import SuperposedMean
from cosim.methods.lora import METHOD as LORA
from cosim.methods.topology.complete import Complete

METHOD = LORA.with_(
    name="air_fedavg",
    reference="AirFedAvg (arXiv 2310.10089); ours: without a server, turns by a colouring, and μ "
    "and σ by module and factor",
    topology=Complete(),
    aggregation=SuperposedMean(),
)
