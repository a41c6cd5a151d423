// Runs that differ in their seed alone are one curve: means over seeds, and how sure they are.

// As many as there are colours; the first ones are shown until a hand chooses others.
const MOST_CURVES = 8,
  FIRST_CURVES = 6;

// The groups of which a run was scored, in the order of the comparison, `runs` those that were.
function groupsOf(courses) {
  const groups = new Map();
  for (const one of courses) {
    if (!groups.has(one.group)) groups.set(one.group, { name: one.name, all: [], colour: null });
    groups.get(one.group).all.push(one);
  }
  const numbers = [...groups.keys()].sort((one, other) => one - other);
  const found = numbers.map((number) => groups.get(number));
  for (const group of found) group.runs = group.all.filter((run) => run.round.length);
  const scored = found.filter((group) => group.runs.length);
  for (const group of scored) group.mean = meanCourse(group.runs);
  scored.slice(0, FIRST_CURVES).forEach((group, n) => (group.colour = n));
  return scored;
}

// What a group is called at its key and its marks, and what its curve lacks.
function groupWords({ name, all, runs, mean }) {
  if (all.length === 1) return name;
  const seeds = `${all.length} seeds`;
  const scored = runs.length < all.length ? `${runs.length} of ${seeds} scored` : seeds;
  return `${name}, ${scored}${mean.round.length ? "" : ", in no round all"}`;
}

// Shows a group that is not shown, in a colour that no other has; the other way round else.
function turn(group, groups) {
  const taken = groups.map((one) => one.colour);
  const free = Array.from({ length: MOST_CURVES }, (_, n) => n).find((n) => !taken.includes(n));
  group.colour = group.colour === null ? (free ?? null) : null;
}

// The evaluations that every seed has, and their mean costs.
function meanCourse(runs) {
  const rounds = runs[0].round.filter((number) => runs.every((run) => run.round.includes(number)));
  const over = (number, key) =>
    estimate(runs.map((run) => run[key][run.round.indexOf(number)]));
  const mean = (key) => rounds.map((number) => over(number, key).mean);
  return {
    round: rounds,
    s: mean("s"),
    j: mean("j"),
    mbit: mean("mbit"),
    accuracy: rounds.map((number) => over(number, "accuracy")),
  };
}

// Mean and half of the 95 % interval (Student's t), which one number has not.
function estimate(values) {
  const n = values.length,
    mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n === 1) return { mean, half: null };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, half: facts.student_t[n] * Math.sqrt(squares / (n - 1) / n) };
}

// Both ends of an interval of accuracies, as far as accuracies go.
function accuracyEnds({ mean, half }) {
  return [Math.max(0, mean - half), Math.min(1, mean + half)];
}

function accuracyWords(accuracy) {
  const { mean, half } = accuracy;
  if (half === null) return mean.toFixed(3);
  const [low, high] = accuracyEnds(accuracy);
  return low === mean - half && high === mean + half
    ? `${mean.toFixed(3)} ± ${half.toFixed(3)}`
    : `${mean.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
}

function roundWords(numbers) {
  const first = Math.min(...numbers),
    last = Math.max(...numbers);
  return first === last ? `round ${first}` : `rounds ${first} to ${last}`;
}

// What a group had reached when so much was spent, by the last evaluation until then.
function budgetWords(group, axis, unit, budget) {
  const { runs } = group;
  const counts = runs.map((run) => run[axis].filter((x) => x <= budget * (1 + 1e-9)).length);
  const without = counts.filter((count) => !count).length;
  if (runs.length > 1) {
    if (without === runs.length) return `${group.name}: nothing was measured by then`;
    if (without) {
      return `${group.name}: by then nothing was measured of ${without} of ${runs.length} seeds`;
    }
    const accuracy = estimate(runs.map((run, n) => run.accuracy[counts[n] - 1]));
    const when = roundWords(runs.map((run, n) => run.round[counts[n] - 1]));
    const over = runs.every((run) => run[axis].at(-1) < budget) ? "; all had ended" : "";
    return `${group.name}: accuracy ${accuracyWords(accuracy)}, measured in ${when}${over}`;
  }
  const [run] = runs,
    n = counts[0] - 1;
  if (without) return `${run.label}: nothing was measured by then`;
  const best = Math.max(...run.accuracy.slice(0, counts[0]));
  const more = best > run.accuracy[n] ? `; best by then ${best.toFixed(3)}` : "";
  return (
    `${run.label}: accuracy ${run.accuracy[n].toFixed(3)}, measured at ` +
    `${rounded(run[axis][n], 4)} ${unit} (round ${run.round[n]})${more}`
  );
}

// What it had cost when an evaluation first reached so much.
function targetWords(group, target) {
  const { runs } = group;
  const firsts = runs.map((run) => run.accuracy.findIndex((value) => value >= target - 1e-12));
  const cost = (key) => {
    const { mean, half } = estimate(runs.map((run, n) => run[key][firsts[n]]));
    return rounded(mean, 4) + (half === null ? "" : ` ± ${rounded(half)}`);
  };
  const costs = () => `${cost("s")} s, ${cost("j")} J, ${cost("mbit")} Mbit`;
  const best = () => Math.max(...runs.flatMap((run) => run.accuracy)).toFixed(3);
  if (runs.length > 1) {
    const reached = firsts.filter((n) => n >= 0).length;
    const many = `${group.name}: reached by ${reached} of ${runs.length} seeds`;
    if (!reached) return `${many}; best ${best()}`;
    const early = runs.filter((run, n) => run.round[firsts[n]] === 0).length;
    const already = early ? `; by ${early} of them before any training` : "";
    // A mean of those that reached it would be that of the lucky ones.
    return `${many}${reached < runs.length ? "" : `, after ${costs()}`}${already}`;
  }
  const [run] = runs,
    n = firsts[0];
  if (n < 0) return `${run.label}: not reached; best ${best()}`;
  const when = run.round[n] ? `in round ${run.round[n]}` : "before any training";
  return `${run.label}: ${costs()} (${run.accuracy[n].toFixed(3)}, measured ${when})`;
}
