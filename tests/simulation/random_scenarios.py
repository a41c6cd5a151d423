"""Random small network-only scenarios: every graph, schedule, radio, battery and presence."""

from typing import Any

from hypothesis import strategies as st

from tests.simulation.small_networks import PROFILE, scenario


def decades(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers over many orders of magnitude."""
    return st.floats(low, high).map(lambda exponent: float(10**exponent))


topologies = st.one_of(
    st.sampled_from(["none", "complete", "ring", "line"]),
    st.builds(
        lambda graph, probability, range_m: {
            "graph": graph,
            "probability": probability,
            "range_m": range_m,
        },
        st.sampled_from(["erdos_renyi", "pairs"]),
        st.sampled_from([0.1, 0.5, 1.0]),
        st.one_of(st.none(), decades(0, 4)),
    ),
    st.builds(
        lambda graph, degree, range_m: {"graph": graph, "degree": degree, "range_m": range_m},
        st.sampled_from(["random", "nearest"]),
        st.integers(1, 4),
        st.one_of(st.none(), decades(0, 4)),
    ),
)
# Clusters form on one clock alone; small masks let many join, large ones leave many heads.
clustered = st.builds(
    lambda s_max, every, attempts: {
        "name": "proposed_single_cluster",
        "topology": {
            "graph": "clusters",
            "max_collision_rate": s_max,
            "exchange_every": every,
            "exchange_attempts": attempts,
        },
    },
    st.sampled_from([0.001, 0.02, 0.5]),
    st.integers(1, 2),
    st.integers(1, 3),
)
flat = st.builds(
    lambda graph, schedule: (
        {"name": "local", "schedule": schedule}
        if graph == "none"
        else {"name": "proposed_single_cluster", "topology": graph, "schedule": schedule}
    ),
    topologies,
    st.sampled_from(["synchronous", "cluster", "asynchronous"]),
)
several = st.builds(
    lambda graph, mixings: {
        "name": "lora",
        "topology": graph,
        "schedule": {"name": "synchronous", "mixings": mixings},
    },
    topologies.filter(lambda graph: graph != "none"),
    st.integers(2, 3),
)
# Rounds in which nobody speaks, and edges that count both ways.
coined = st.builds(
    lambda graph, schedule, p: {
        "name": "flexatc",
        "topology": graph,
        "schedule": schedule,
        "sending": {"name": "by_coin", "probability": p},
    },
    topologies.filter(lambda graph: graph != "none"),
    st.sampled_from(["synchronous", "cluster", {"name": "synchronous", "mixings": 2}]),
    st.sampled_from([0.3, 0.7, 1.0]),
)
methods = st.one_of(flat, flat, several, clustered, coined)
availabilities = st.one_of(
    st.just("always"),
    st.just("always"),
    st.builds(
        lambda on_s, off_s: {"model": "exponential", "mean_on_s": on_s, "mean_off_s": off_s},
        decades(-1, 1),
        decades(-1, 1),
    ),
)
mobilities: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({"model": "static"}),
    st.builds(
        lambda slow, faster, pause: {
            "model": "random_waypoint",
            "speed_m_s": [slow, slow * faster],
            "pause_s": [0.0, pause],
        },
        st.floats(0.01, 3.0),
        st.floats(1.0, 3.0),
        st.sampled_from([0.0, 5.0]),
    ),
    # At 5σ above the mean a step of 0.1 s stays below 1 m, the size of the smallest area.
    st.builds(
        lambda mean, sigma, memory: {
            "model": "gauss_markov",
            "mean_speed_m_s": mean,
            "sigma_m_s": sigma,
            "memory_s": memory,
            "step_s": 0.1,
        },
        st.floats(0.0, 3.0),
        st.floats(0.0, 1.0),
        decades(-2, 3),
    ),
)
groups = st.builds(
    lambda count, mobility, availability, speed, battery: {
        "count": count,
        "mobility": mobility,
        "availability": availability,
        "profile": PROFILE | {"peak_flop_s": speed, "battery_j": battery},
    },
    st.integers(1, 4),
    mobilities,
    availabilities,
    decades(11, 14),
    st.one_of(st.none(), st.none(), decades(-1, 2)),
)
powers: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({"policy": "max_power"}),
    st.builds(
        lambda margin, knowledge, fallback: {
            "policy": "lemma1",
            "margin_db": margin,
            "channel_knowledge": knowledge,
            "fallback": fallback,
        },
        st.sampled_from([0.0, 3.0, 20.0]),
        st.sampled_from(["instantaneous", "mean"]),
        st.sampled_from(["scale", "drop_weakest", "max_power"]),
    ),
)
fadings = st.sampled_from(
    [
        {"model": "none"},
        {"model": "block"},
        {"model": "clarke", "sinusoids": 8, "slots_per_coherence_time": 1},
    ]
)
areas = st.one_of(
    decades(0, 4).map(lambda radius: {"shape": "disc", "radius_m": radius}),
    decades(0, 4).map(lambda side: {"shape": "square", "side_m": side}),
)
radios = st.fixed_dictionaries(
    {
        "bandwidth_hz": decades(2, 10),
        "deadline_s": decades(-4, 0.5),
        "p_max_dbm": st.floats(-30, 60),
        "noise": st.sampled_from(["share", "constant"]),
        "share": st.sampled_from(["fixed", "dynamic"]),
        "late": st.sampled_from(["drop", "stale"]),
        "path_loss": st.one_of(
            st.just({"model": "d2d_outdoor"}),
            st.fixed_dictionaries(
                {"model": st.sampled_from(["log_distance", "paper"]), "exponent": st.floats(1.5, 6)}
            ),
        ),
        "shadowing": st.sampled_from([{}, {"sigma_db": 7.0, "decorrelation_m": 5.0}]),
        "fading": fadings,
        "power": powers,
    }
)


def of_load(load: float, radio: dict[str, Any]) -> int:
    """Bits that take so many bit/s/Hz of all of W within Γ."""
    bits: float = load * radio["bandwidth_hz"] * radio["deadline_s"]
    return max(1, round(bits))


# Blocks as large as they may be, so that no link sends more of them in Γ than a test can play.
packet_radios = st.builds(
    lambda radio, packets: radio | {"packets": packets, "share": "fixed", "late": "drop"},
    radios,
    st.one_of(
        st.just({"model": "codeword"}),
        st.builds(
            lambda combining, most, backoff: {
                "model": "blocks",
                "block_bits": 10**9,
                "combining": combining,
                "transmissions": most,
                "backoff_db": backoff,
            },
            st.sampled_from(["chase", "none"]),
            st.integers(1, 4),
            st.sampled_from([0.0, 3.0]),
        ),
        st.builds(
            lambda backoff, erasure: {
                "model": "one_shot",
                "packet_bits": 10**9,
                "backoff_db": backoff,
                "erasure": erasure,
            },
            st.sampled_from([0.0, 3.0]),
            st.sampled_from([None, None, 0.0, 0.3, 1.0]),
        ),
    ),
)


def cut(radio: dict[str, Any], method: Any, bits: int, packets: int) -> dict[str, Any]:
    """A radio whose single pass has so many packets; experts are sent again, and stay in few."""
    if radio.get("packets", {}).get("model") != "one_shot" or "exchange_every" in str(method):
        return radio
    size = min(max(1, -(-bits // packets)), 10**9)
    return radio | {"packets": radio["packets"] | {"packet_bits": size}}


scenarios = st.builds(
    lambda load, flop, radio, method, packets, **sections: scenario(
        learning={"model": "none", "payload_bits": of_load(load, radio), "flop": flop},
        trace={"positions_every_s": 1.0},
        method=method,
        radio=cut(radio, method, of_load(load, radio), packets),
        **sections,
    ),
    packets=st.integers(1, 30),
    load=decades(-4, 2),
    flop=st.sampled_from([0.0, 1.0e9, 3.0e11]),
    seed=st.integers(0, 2**63 - 1),
    rounds=st.integers(1, 3),
    method=methods,
    devices=st.lists(groups, min_size=1, max_size=2).filter(
        lambda some: sum(group["count"] for group in some) <= 7
    ),
    area=areas,
    radio=st.one_of(radios, radios, packet_radios),
)
