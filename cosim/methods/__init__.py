"""The named methods. A new one is a file with a `RECIPE` and a line below."""

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
from cosim.methods.recipe import Recipe

METHODS: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        local.RECIPE,
        lora.RECIPE,
        lori.RECIPE,
        lori_dense.RECIPE,
        proposed.RECIPE,
        proposed_single_cluster.RECIPE,
        proposed_literal.RECIPE,
        hard_moe.RECIPE,
        centralised.RECIPE,
        full_finetune.RECIPE,
    )
}
