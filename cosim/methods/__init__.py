"""The named methods. A new one is a file with a `RECIPE` and a line below."""

from cosim.methods import local, lora, proposed_single_cluster
from cosim.methods.recipe import Recipe

METHODS: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        local.RECIPE,
        lora.RECIPE,
        proposed_single_cluster.RECIPE,
    )
}
