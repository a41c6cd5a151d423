// Accuracy against what it cost: a step for each measurement, a budget and a target.

const UNITS = { s: "s", j: "J", mbit: "Mbit" };
const AXIS_WORDS = { s: "simulated seconds", j: "joules", mbit: "Mbit on the air" };

function showCourse() {
  const holder = byId("course-chart");
  if (!holder) return;
  const groups = groupsOf(facts.courses);
  const state = { axis: "s", budget: 0, target: 0 };
  const shown = () => groups.filter((group) => group.colour !== null);
  // The axis and the slider reach as far as the curves that are shown, or all where none is.
  const most = () => {
    const some = shown().length ? shown() : groups;
    return Math.max(...some.flatMap((one) => one.runs.map((run) => run[state.axis].at(-1))));
  };
  const alone = facts.courses.length === 1 ? groups[0].runs[0] : null;

  // A key of several is a button that shows its curve or hides it.
  function legend() {
    if (alone) {
      const tasks = Object.keys(alone.tasks);
      const keys = tasks.length > 1 ? tasks.map((task, n) => key(`k${n % 8}`, task)) : [];
      byId("course-legend").replaceChildren(key("ink", "mean over tasks"), ...keys);
      return;
    }
    const full = shown().length >= MOST_CURVES;
    const keys = groups.map((group, place) => {
      const words = groupWords(group);
      const off = group.colour === null;
      const square = key(off ? "rule" : `k${group.colour}`, words);
      if (groups.length === 1) return square;
      const button = element("button", { type: "button", "aria-pressed": !off }, square);
      button.disabled = off && full;
      button.title = button.disabled ? `${MOST_CURVES} curves at most` : off ? "show" : "hide";
      button.addEventListener("click", () => {
        turn(group, groups);
        legend();
        byId("course-legend").children[place].focus();
        rangeBudget();
        tell();
      });
      return button;
    });
    byId("course-legend").replaceChildren(...keys);
  }

  // A step line through points, and a marker on each of them.
  function steps(svg, xs, ys, x, y, name, classes, words) {
    if (!xs.length) return;
    let path = "";
    xs.forEach((value, n) => {
      if (ys[n] === null) return;
      path += path
        ? `H${x(value).toFixed(1)}V${y(ys[n]).toFixed(1)}`
        : `M${x(value).toFixed(1)} ${y(ys[n]).toFixed(1)}`;
    });
    const line = drawn("path", { d: path, class: classes });
    line.style.stroke = `var(--${name})`;
    svg.append(line);
    xs.forEach((value, n) => {
      if (ys[n] === null) return;
      const radius = classes.includes("thin") ? 2.2 : 4;
      const dot = drawn("circle", { cx: x(value), cy: y(ys[n]), r: radius, class: "dot" });
      dot.style.fill = `var(--${name})`;
      dot.append(drawn("title", {}, words(n)));
      svg.append(dot);
    });
  }

  function draw() {
    const width = holder.clientWidth,
      height = Math.min(360, Math.max(240, width * 0.45));
    const left = 44,
      right = 14,
      top = 10,
      bottom = 40;
    const end = most() || 1;
    const x = (value) => left + (value / end) * (width - left - right);
    const y = (value) => height - bottom - value * (height - top - bottom);
    const svg = drawn("svg", {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `accuracy against ${AXIS_WORDS[state.axis]}`,
    });
    for (const value of ticks(0, 1, 5)) {
      svg.append(
        drawn("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "grid" }),
      );
      svg.append(
        drawn("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, rounded(value, 2)),
      );
    }
    for (const value of ticks(0, end, width < 500 ? 4 : 8)) {
      svg.append(
        drawn(
          "text",
          { x: x(value), y: height - bottom + 17, "text-anchor": "middle" },
          rounded(value, 4),
        ),
      );
    }
    svg.append(
      drawn(
        "text",
        { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" },
        AXIS_WORDS[state.axis],
      ),
    );
    const atBudget = x(Math.min(state.budget, end));
    svg.append(drawn("line", { x1: atBudget, x2: atBudget, y1: y(0), y2: y(1), class: "mark" }));
    svg.append(
      drawn("line", {
        x1: left,
        x2: width - right,
        y1: y(state.target),
        y2: y(state.target),
        class: "mark",
      }),
    );
    const at = (one, n) =>
      `${rounded(one[state.axis][n], 4)} ${UNITS[state.axis]} (round ${one.round[n]})`;
    if (alone && Object.keys(alone.tasks).length > 1) {
      Object.entries(alone.tasks).forEach(([task, ys], n) => {
        const words = (m) => `${task}: ${rounded(ys[m])} at ${at(alone, m)}`;
        steps(svg, alone[state.axis], ys, x, y, `k${n % 8}`, "line thin", words);
      });
    }
    for (const group of shown()) {
      const { mean, runs, colour } = group;
      const xs = mean[state.axis],
        ys = mean.accuracy.map((one) => one.mean);
      const ink = alone ? "ink" : `k${colour}`;
      mean.accuracy.forEach((accuracy, n) => {
        if (accuracy.half === null) return;
        const [low, high] = accuracyEnds(accuracy).map(y);
        const bar = drawn("line", { x1: x(xs[n]), x2: x(xs[n]), y1: low, y2: high, class: "sure" });
        bar.style.stroke = `var(--${ink})`;
        svg.append(bar);
      });
      const label = runs.length > 1 ? groupWords(group) : runs[0].label;
      const words = (n) => `${label}: ${accuracyWords(mean.accuracy[n])} at ${at(mean, n)}`;
      steps(svg, xs, ys, x, y, ink, "line", words);
    }
    holder.replaceChildren(svg);
  }

  function answers() {
    const unit = UNITS[state.axis];
    const words = {
      budget: (group) => budgetWords(group, state.axis, unit, state.budget),
      target: (group) => targetWords(group, state.target),
    };
    for (const [name, told] of Object.entries(words)) {
      const lines = shown().map((group) => element("p", {}, told(group)));
      byId(`${name}-answer`).replaceChildren(...lines);
    }
  }

  function tell() {
    answers();
    if (holder.clientWidth) draw();
  }

  // The slider and the number of one quantity say the same.
  function join(name, changed) {
    const slider = byId(`${name}-slider`),
      number = byId(`${name}-number`);
    slider.addEventListener("input", () => {
      number.value = slider.value;
      changed(+slider.value);
      tell();
    });
    number.addEventListener("input", () => {
      if (number.value === "") return;
      slider.value = number.value;
      changed(+number.value);
      tell();
    });
    return (value, highest, step) => {
      Object.assign(slider, { min: 0, max: highest, step });
      number.step = step;
      slider.value = number.value = value;
      changed(+slider.value);
    };
  }

  const setBudget = join("budget", (value) => {
    state.budget = value;
  });
  const setTarget = join("target", (value) => {
    state.target = value;
  });
  // What was asked stays as it is, whatever curves are shown.
  function rangeBudget() {
    const slider = byId("budget-slider"),
      end = most() || 1,
      step = niceStep(end, 500);
    Object.assign(slider, { min: 0, max: Math.ceil(end / step) * step, step });
    slider.value = state.budget;
  }
  function chooseAxis(axis) {
    state.axis = axis;
    byId("budget-unit").textContent = ` ${UNITS[axis]}`;
    const end = most() || 1,
      step = niceStep(end, 500);
    setBudget(niceStep(end, 2.2), Math.ceil(end / step) * step, step);
    tell();
  }
  for (const input of document.querySelectorAll('input[name="axis"]')) {
    input.addEventListener("change", () => chooseAxis(input.value));
  }
  const best = Math.max(...groups.flatMap((one) => one.runs.flatMap((run) => run.accuracy)));
  setTarget(Math.floor(best * 9) / 10 || 0.5, 1, 0.01);
  legend();
  chooseAxis(document.querySelector('input[name="axis"]:checked').value);
  keepDrawn(holder, draw);
}
