"""The closed vocabularies of a run's tables: what a word in them may be."""

from enum import StrEnum


class EventKind(StrEnum):
    """An event is of one of these kinds; the words are those of the simulation's log."""

    PLAN = "plan"
    COMPUTE_START = "compute_start"
    COMPUTE_END = "compute_end"
    SEND_START = "send_start"
    SEND_END = "send_end"
    RECEIVE = "receive"
    DEADLINE = "deadline"
    AGGREGATE = "aggregate"
    EVALUATE = "evaluate"
    ROUND_END = "round_end"
    CUT_OFF = "cut_off"
    QUARANTINE = "quarantine"
    JOIN = "join"
    LEAVE = "leave"


class Cause(StrEnum):
    """The causes of events, and of the ends of transmissions; a new reason is one new line here."""

    SCHEDULE = "schedule"
    TRIGGERED = "triggered"
    COMPUTE_FINISHED = "compute_finished"
    BITS_DELIVERED = "bits_delivered"
    NEIGHBOURS_SETTLED = "neighbours_settled"
    DEADLINE = "deadline"
    INFEASIBLE_POWER = "infeasible_power"
    MARGIN_REDUCED = "margin_reduced"
    OUTAGE = "outage"
    BATTERY_EMPTY = "battery_empty"
    AVAILABILITY = "availability"
    INTERRUPTED = "interrupted"
    DIVERGENCE = "divergence"
    UNREACHABLE = "unreachable"


class TransferKind(StrEnum):
    """The kinds of messages that a transmission may carry; a beacon tells a neighbour that a device
    says nothing in this turn."""

    UPDATE = "update"
    CONTROL = "control"
    EXPERT = "expert"
    BEACON = "beacon"


class TransferOutcome(StrEnum):
    """A transmission ends in one of these ways."""

    DELIVERED = "delivered"
    LATE = "late"
    OUTAGE = "outage"
    CANCELLED = "cancelled"


class Quantity(StrEnum):
    """The quantities that diagnostics measure; each is a number without a unit.

    Pairs (`device` below `peer`), of their adapters as they are evaluated: the normalised overlap
    of projections, ‖A_i·A_jᵀ‖_F/(‖A_i‖·‖A_j‖), and of updates (Theorem 2 of arXiv 2602.20492),
    |⟨B_iA_i, B_jA_j⟩_F|/(‖B_iA_i‖·‖B_jA_j‖), as mean and as largest over the modules; and the
    same by module (`layer`, `module`; no device) as mean over these pairs.

    Theorem 1 (eq. 23), by `device`: over the updates of the devices that it exchanges with and
    its own, as they were sent or, of silent devices, would have been, its two sides summed over
    the modules; the share of modules in which the left side exceeds the right; the left side for
    the support-normalised mean read back on each one's own support; and the largest G and P of its
    assumptions over modules. The gradients of G are those at each device's own update on its
    mini-batches of the round, S is measured.

    Agreement, by `device`. Over the same updates, weighed as the method weighs them when fresh,
    with Z = Σ_j w_j·B_j·A_j and Σw = 1, whatever the method makes of them: the cross term
    ‖Σ_j w_j·(B_j − B̄)(A_j − Ā)‖_F, which is ‖Z − B̄·Ā‖_F; divided by ‖Z‖_F the aggregation error, of
    averaging factor by factor; and the broadcast error ‖Z − P_r·Z‖_F/‖Z‖_F, of the best rank-r
    matrix (arXiv 2508.01348). Where a round sends one factor, Z has of the other what each sender
    holds, and the aggregation error is that of the receiver i, which keeps its own: ‖Z − B̄·A_i‖_F
    or ‖Z − B_i·Ā‖_F, divided by ‖Z‖_F. Of the adapters as they are evaluated: ‖A_i − Ā‖_F² and
    ‖B_i − B̄‖_F², with the plain mean over the diagnosed devices that have learnt something; the
    mean over the devices is the consensus distance. Where all parameters are trained, there are no
    factors, and `consensus_expansion` is of all parameters.

    Mixing, of all devices (neither `device` nor `module`), where they end a round before any begins
    the next and average what they hear. W_t (m, m) holds the shares that its own and what arrived
    in round t have in what a device then holds, on average over values; blocks that a deadline cut
    count as the others. One that mixed nothing keeps what it had, and of several mixings in a round
    W is the product. The contraction, λmax(mean of Wᵀ(I − 11ᵀ/m)W), is over all rounds so far, and
    over few of drawn graphs above that of their law. Squared distances from the mean of the moment
    shrink by it a round at least, where the shares of each device sum to 1. The drift,
    ‖x̄ after − x̄ before‖² of each factor that was on the air in the evaluated round, is of the
    mean x̄ over all devices, as mixing moved it: on the scale of the consensus distance, and 0 up
    to the precision of the air where W is doubly stochastic and the aggregation a mean.

    Experts, by `device`, `task` and `peer`: share of the task's questions whose expert of the
    largest weight is the peer's.
    """

    PROJECTION_OVERLAP_MEAN = "projection_overlap_mean"
    PROJECTION_OVERLAP_MAX = "projection_overlap_max"
    UPDATE_SIMILARITY_MEAN = "update_similarity_mean"
    UPDATE_SIMILARITY_MAX = "update_similarity_max"
    PROJECTION_OVERLAP = "projection_overlap"
    UPDATE_SIMILARITY = "update_similarity"
    THEOREM1_GAP = "theorem1_gap"
    THEOREM1_BOUND = "theorem1_bound"
    THEOREM1_VIOLATED = "theorem1_violated"
    THEOREM1_OWN_SUPPORT_GAP = "theorem1_own_support_gap"
    THEOREM1_GRADIENT = "theorem1_gradient"
    THEOREM1_AVERAGE = "theorem1_average"
    AGGREGATION_ERROR = "aggregation_error"
    BROADCAST_ERROR = "broadcast_error"
    CROSS_TERM = "cross_term"
    CONSENSUS_PROJECTION = "consensus_projection"
    CONSENSUS_EXPANSION = "consensus_expansion"
    CONTRACTION = "contraction"
    DRIFT_PROJECTION = "drift_projection"
    DRIFT_EXPANSION = "drift_expansion"
    EXPERT_SHARE = "expert_share"
