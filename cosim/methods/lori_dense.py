"""`lori_dense`: LoRI without its mask (LoRI-D of arXiv 2504.07448)."""

from cosim.methods.lori import RECIPE as LORI

RECIPE = LORI.model_copy(
    update={
        "name": "lori_dense",
        "reference": "LoRI-D (arXiv 2504.07448); random topology",
        "expansion": "dense",
    }
)
