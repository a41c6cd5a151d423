"""`lori_dense`: LoRI without its mask (LoRI-D of arXiv 2504.07448).

Merged with w = 1.6/J, which is LoRI's own 0.4 for four adapters; for three they have 0.5, and the
rule 0.53.
"""

from cosim.methods.lori import RECIPE as LORI
from cosim.methods.parts import Merge

RECIPE = LORI.model_copy(
    update={
        "name": "lori_dense",
        "reference": "LoRI-D (arXiv 2504.07448); random topology",
        "expansion": "dense",
        "merge": Merge(total=1.6),
    }
)
