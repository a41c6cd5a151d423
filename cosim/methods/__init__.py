"""The named methods, and what a method from outside is made of. A new one is a file with a
`METHOD` and a line below."""

from cosim.methods import (
    centralised,
    full_finetune,
    hard_moe,
    local,
    lora,
    lori,
    lori_dense,
    proposed,
    proposed_literal,
    proposed_single_cluster,
)
from cosim.methods.method import Method

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        local.METHOD,
        lora.METHOD,
        lori.METHOD,
        lori_dense.METHOD,
        proposed.METHOD,
        proposed_single_cluster.METHOD,
        proposed_literal.METHOD,
        hard_moe.METHOD,
        centralised.METHOD,
        full_finetune.METHOD,
    )
}
