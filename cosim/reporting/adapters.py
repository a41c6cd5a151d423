"""Who exchanged with whom, what masks keep and how much adapters overlap, where a run has any."""

from __future__ import annotations

import pandas as pd

from cosim.reporting.markup import Markup, table, tag
from cosim.reporting.quantity import exact, rounded
from cosim.trace.reader import Run
from cosim.trace.schema import Quantity

# Larger tables than this nobody reads.
_MOST_ROWS, _MOST_COLUMNS = 40, 40
_COLOURS = 8
_OVERLAPS = (
    (Quantity.PROJECTION_OVERLAP_MEAN, "Overlap of projections"),
    (Quantity.UPDATE_SIMILARITY_MEAN, "Similarity of updates"),
)


def adapters_section(run: Run) -> Markup | None:
    """Who was planned together, what masks keep, and how much adapters overlap; None if nothing."""
    negotiated = bool(run.manifest.get("negotiates_clusters"))
    clusters, densities, overlaps = _clusters(run, negotiated), _densities(run), _overlaps(run)
    told = {
        "clusters" if negotiated else "groups that exchanged": clusters,
        "masks": densities,
        "overlaps": overlaps or None,
    }
    present = {name: part for name, part in told.items() if part is not None}
    if not present:
        return None
    *names, last = present
    title = f"{', '.join(names)} and {last}" if names else last
    return tag("section", tag("h2", title[0].upper() + title[1:]), list(present.values()))


def _masked(run: Run) -> bool:
    """Whether any device keeps less than all: without a mask everything is in common."""
    return not run.layers.empty and bool((run.layers["density"] < 1).any())


def clusters_by_round(run: Run) -> pd.DataFrame:
    """A row a device, a column a round: its cluster in the last plan of that round."""
    plans = run.topology.groupby(["device", "round"])["cluster"].last()
    return plans.unstack()


def _clusters(run: Run, negotiated: bool) -> Markup | None:
    """Nothing where every plan has one cluster, or where everybody is alone."""
    plans = run.topology
    if plans.empty or plans.groupby("round")["cluster"].nunique().max() < 2:
        return None
    if (plans["cluster_size"] == 1).all():
        return None
    clusters = clusters_by_round(run).iloc[:_MOST_ROWS, :_MOST_COLUMNS]
    rows = [
        [f"device {device}", *(_cluster(value) for value in row)]
        for device, row in zip(clusters.index, clusters.to_numpy(), strict=True)
    ]
    measured = plans["collision_measured"].mean()
    predicted = plans["collision_predicted"].mean()
    collisions = ""
    if not pd.isna(measured) and _masked(run):
        collisions = f" Masks collide at {rounded(measured)} on average"
        collisions += f"; the plans expected {rounded(predicted)}." if predicted >= 0 else "."
    return tag(
        "div",
        tag("h3", f"{'Cluster' if negotiated else 'Group'} of each device, by round"),
        table(("", *map(str, clusters.columns)), rows, class_="heat"),
        tag("p", _numbering(negotiated), _cut(run.topology, clusters), collisions, class_="note"),
    )


def _numbering(negotiated: bool) -> str:
    if negotiated:
        return "Numbers are the clusters' own in a round."
    return (
        "Devices with one number in a round exchanged with each other, some of them only through "
        "others."
    )


def _cut(plans: pd.DataFrame, shown: pd.DataFrame) -> str:
    devices, rounds = plans["device"].nunique(), plans["round"].nunique()
    if (devices, rounds) == shown.shape:
        return ""
    return (
        f" The first {shown.shape[0]} of {devices} devices and {shown.shape[1]} of {rounds} rounds."
    )


def _cluster(value: float) -> Markup | str:
    if pd.isna(value):
        return "–"
    colour = f"color-mix(in srgb, var(--k{int(value) % _COLOURS}) 45%, transparent)"
    return tag("span", str(int(value)), class_="cell", style=f"background:{colour}")


def _densities(run: Run) -> Markup | None:
    """What masks keep, by module and layer; nothing where there is no mask."""
    layers = run.layers
    if not _masked(run):
        return None
    kept = layers["active"].sum() / layers["parameters"].sum()
    heading = tag("h3", "What masks keep")
    sentence = (
        f"{rounded(100 * kept)} % of the parameters before the mask, over all devices and layers; "
        f"from {rounded(100 * layers['density'].min())} to "
        f"{rounded(100 * layers['density'].max())} % of a layer."
    )
    if layers["density"].max() - layers["density"].min() < 0.01 * kept:
        return tag("div", heading, tag("p", sentence))
    modules = [_in_block(*one) for one in zip(layers["module"], layers["layer"], strict=True)]
    densities = layers.assign(module=modules).groupby(["module", "layer"])["density"]
    means = densities.mean().unstack().iloc[:, :_MOST_COLUMNS]
    highest = float(means.max().max())
    rows = [
        [str(module), *(_shade(value, highest, digits=2) for value in row)]
        for module, row in zip(means.index, means.to_numpy(), strict=True)
    ]
    return tag(
        "div",
        heading,
        tag("p", sentence, " Mean over devices, by module and layer:"),
        table(("", *map(str, means.columns)), rows, class_="heat small"),
    )


def _in_block(module: str, layer: int) -> str:
    """What a module is called in its block, whichever block that is."""
    return ".".join("*" if part == str(layer) else part for part in module.split("."))


def _overlaps(run: Run) -> list[Markup]:
    """A matrix over pairs of devices at the last diagnosis of each."""
    found = []
    for quantity, words in _OVERLAPS:
        pairs = run.diagnostics[run.diagnostics["quantity"] == quantity]
        pairs = pairs[pairs["round"] == pairs["round"].max()]
        devices = sorted({*pairs["device"].dropna(), *pairs["peer"].dropna()})[:_MOST_ROWS]
        if not devices:
            continue
        values = {(int(r.device), int(r.peer)): r.value for r in pairs.itertuples(index=False)}
        highest = max(map(float, values.values()))
        rows = [
            [
                f"device {one}",
                *(
                    _shade(values.get((min(one, other), max(one, other))), highest, digits=2)
                    for other in devices
                ),
            ]
            for one in devices
        ]
        title = f"{words}, mean over modules, in round {int(pairs['round'].max())}"
        head = ("", *(str(device) for device in devices))
        found.append(tag("div", tag("h3", title), table(head, rows, class_="heat small")))
    return found


def _shade(value: float | None, highest: float, digits: int) -> Markup | str:
    if value is None or pd.isna(value):
        return ""
    style = f"--v:{60 * value / highest:.0f}%" if highest else None
    return tag("span", exact(value, rounded(value, digits)), class_="cell", style=style)
