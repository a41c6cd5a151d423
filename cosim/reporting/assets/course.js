// Accuracy against what it cost: a step for each measurement, a budget and a target.

const UNITS = { s: "s", j: "J", mbit: "Mbit" };
const AXIS_WORDS = { s: "simulated seconds", j: "joules", mbit: "Mbit on the air" };

function showCourse() {
  const holder = byId("course-chart");
  if (!holder) return;
  const courses = facts.courses.filter((one) => one.round.length);
  const state = { axis: "s", budget: 0, target: 0 };
  const most = () => Math.max(...courses.map((one) => one[state.axis].at(-1)));
  const single = courses.length === 1;

  function legend() {
    const seen = new Map(courses.map((one) => [one.group, one.name]));
    const keys = [...seen].map(([group, words]) => key(`k${group % 8}`, words));
    if (single) {
      const tasks = Object.keys(courses[0].tasks);
      keys[0] = key("ink", "mean over tasks");
      if (tasks.length > 1) keys.push(...tasks.map((task, n) => key(`k${n % 8}`, task)));
    }
    byId("course-legend").replaceChildren(...keys);
  }

  // A step line through points, and a marker on each of them.
  function steps(svg, xs, ys, x, y, name, classes, words) {
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
    for (const one of courses) {
      const xs = one[state.axis];
      const at = (n) => `${rounded(xs[n], 4)} ${UNITS[state.axis]} (round ${one.round[n]})`;
      const words = (name, ys) => (n) => `${name}: ${rounded(ys[n])} at ${at(n)}`;
      const tasks = Object.entries(one.tasks);
      if (single && tasks.length > 1) {
        tasks.forEach(([task, ys], n) =>
          steps(svg, xs, ys, x, y, `k${n % 8}`, "line thin", words(task, ys)),
        );
      }
      const name = single ? "ink" : `k${one.group % 8}`;
      steps(svg, xs, one.accuracy, x, y, name, "line", words(one.label, one.accuracy));
    }
    holder.replaceChildren(svg);
  }

  function answerBudget() {
    const unit = UNITS[state.axis];
    return courses.map((one) => {
      const within = one[state.axis].filter((value) => value <= state.budget * (1 + 1e-9)).length;
      if (!within) return `${one.label}: nothing was measured by then`;
      const n = within - 1;
      const best = Math.max(...one.accuracy.slice(0, within));
      const more = best > one.accuracy[n] ? `; best by then ${best.toFixed(3)}` : "";
      return (
        `${one.label}: accuracy ${one.accuracy[n].toFixed(3)}, measured at ` +
        `${rounded(one[state.axis][n], 4)} ${unit} (round ${one.round[n]})${more}`
      );
    });
  }

  function answerTarget() {
    return courses.map((one) => {
      const n = one.accuracy.findIndex((value) => value >= state.target - 1e-12);
      if (n < 0) return `${one.label}: not reached; best ${Math.max(...one.accuracy).toFixed(3)}`;
      return (
        `${one.label}: ${rounded(one.s[n], 4)} s, ${rounded(one.j[n], 4)} J, ` +
        `${rounded(one.mbit[n], 4)} Mbit ` +
        `(${one.accuracy[n].toFixed(3)}, measured in round ${one.round[n]})`
      );
    });
  }

  function tell() {
    for (const [name, answer] of [
      ["budget", answerBudget],
      ["target", answerTarget],
    ]) {
      byId(`${name}-answer`).replaceChildren(...answer().map((words) => element("p", {}, words)));
    }
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
  function chooseAxis(axis) {
    state.axis = axis;
    byId("budget-unit").textContent = ` ${UNITS[axis]}`;
    const end = most() || 1,
      step = niceStep(end, 500),
      half = niceStep(end, 2.2);
    setBudget(half, Math.ceil(end / step) * step, step);
    tell();
  }
  for (const input of document.querySelectorAll('input[name="axis"]')) {
    input.addEventListener("change", () => chooseAxis(input.value));
  }
  const best = Math.max(...courses.map((one) => Math.max(...one.accuracy)));
  setTarget(Math.floor(best * 9) / 10 || 0.5, 1, 0.01);
  legend();
  chooseAxis(document.querySelector('input[name="axis"]:checked').value);
  keepDrawn(holder, draw);
}
