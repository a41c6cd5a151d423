// What every device does when, and each of its transmissions; a click shows a row of the trace.

const LABELS = 34,
  AXIS = 34;

function showTimeline(scene) {
  const holder = scene.article.querySelector(".timeline");
  const canvas = element("canvas", {
    role: "img",
    "aria-label": "timeline of devices: computing, sending, waiting, off",
  });
  const axis = element("canvas", { "aria-hidden": "true" });
  const cursor = element("div", { class: "cursor" });
  const rows = element("div", { class: "rows" }, canvas, cursor);
  holder.append(axis, rows);
  const { known, transfers, rounds, computing, off } = scene;
  const count = known.devices.length;
  const high = count <= 12 ? 34 : count <= 40 ? 22 : count <= 120 ? 12 : count <= 600 ? 5 : 3;
  const laned = high >= 12;
  const lanes = lanesOf(transfers);
  let width = 0;

  const x = (time) =>
    LABELS + ((time - scene.window[0]) / (scene.window[1] - scene.window[0])) * (width - LABELS);
  const timeAt = (pixel) =>
    scene.window[0] + ((pixel - LABELS) / (width - LABELS)) * (scene.window[1] - scene.window[0]);
  const top = (device) => scene.rank.get(device) * high;
  const strip = laned ? high * 0.38 : high - 1;

  // Where a transmission lies: its top and its height.
  function laneOf(n) {
    const y = top(transfers.src[n]);
    if (!laned) return [y, high - 1];
    const of = Math.min(lanes.most.get(transfers.src[n]), 8);
    const each = (high - strip - 3) / of;
    return [y + strip + 1 + (lanes.of[n] % of) * each, Math.max(each - 0.5, 1)];
  }

  function draw() {
    width = holder.clientWidth;
    if (!width) return;
    const pen = sharp(canvas, width, count * high + 2);
    const [from, to] = scene.window;
    const box = (start, end, y, height) => {
      const left = Math.max(x(start), LABELS),
        right = Math.min(x(end), width);
      pen.fillRect(left, y, Math.max(right - left, 0.6), height);
    };
    const spells = (table, name) => {
      pen.fillStyle = colour(name);
      for (let n = 0; n < table.device.length; n++) {
        if (table.end_s[n] >= from && table.start_s[n] <= to && scene.rank.has(table.device[n])) {
          box(table.start_s[n], table.end_s[n], top(table.device[n]), strip);
        }
      }
    };
    const inside = [];
    for (let n = 0; n < transfers.src.length; n++) {
      if (transfers.end_s[n] >= from && transfers.start_s[n] <= to) inside.push(n);
    }
    spells(rounds, "wait");
    if (laned) {
      pen.fillStyle = colour("send");
      for (const n of inside)
        box(transfers.start_s[n], transfers.end_s[n], top(transfers.src[n]), strip);
    }
    spells(computing, "compute");
    spells(off, "away");
    // What was not in time lies above the rest.
    scene.outcomes.forEach((outcome, code) => {
      pen.fillStyle = colour(outcome);
      for (const n of inside) {
        if (transfers.outcome[n] === code)
          box(transfers.start_s[n], transfers.end_s[n], ...laneOf(n));
      }
    });
    if (laned && transfers.deadline_at_s) drawDeadlines(pen, inside);
    if (scene.chosen?.table === "transfers") {
      const n = scene.chosen.n,
        [y, height] = laneOf(n);
      pen.strokeStyle = colour("ink");
      pen.lineWidth = 2;
      const left = x(transfers.start_s[n]);
      pen.strokeRect(left - 1, y - 1, Math.max(x(transfers.end_s[n]) - left, 2) + 2, height + 2);
    }
    drawLabels(pen);
    drawAxis();
    moveCursor();
  }

  // Γ: a line at the last moment that counts, one for all transmissions that share it.
  function drawDeadlines(pen, inside) {
    pen.strokeStyle = colour("ink");
    pen.lineWidth = 1;
    pen.setLineDash([2, 2]);
    const marked = new Set();
    for (const n of inside) {
      const at = Math.round(x(transfers.deadline_at_s[n])),
        y = top(transfers.src[n]);
      if (at < LABELS || at > width || marked.has(`${at}/${y}`)) continue;
      marked.add(`${at}/${y}`);
      pen.beginPath();
      pen.moveTo(at + 0.5, y);
      pen.lineTo(at + 0.5, y + high - 2);
      pen.stroke();
    }
    pen.setLineDash([]);
  }

  function drawLabels(pen) {
    pen.clearRect(0, 0, LABELS - 1, canvas.height);
    pen.fillStyle = colour("faint");
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    const every = Math.max(1, Math.ceil(13 / high));
    known.devices.forEach((device, n) => {
      if (n % every === 0) pen.fillText(String(device), LABELS - 6, n * high + high / 2);
    });
  }

  function drawAxis() {
    const pen = sharp(axis, width, AXIS);
    pen.fillStyle = pen.strokeStyle = colour("faint");
    pen.textAlign = "center";
    for (const value of ticks(...scene.window, width < 500 ? 4 : 9)) {
      pen.fillText(
        `${rounded(value, 6)} s`,
        Math.min(Math.max(x(value), LABELS), width - 18),
        AXIS - 4,
      );
    }
    pen.fillStyle = colour("ink");
    pen.textAlign = "left";
    let free = 0;
    for (const number of scene.together ? known.rounds : []) {
      const at = Math.max(x(scene.roundSpans.get(number).start), LABELS);
      if (x(scene.roundSpans.get(number).end) <= LABELS || at < free || at > width - 20) continue;
      pen.fillText(`round ${number}`, at, 12);
      free = at + 62;
    }
  }

  function moveCursor() {
    cursor.style.left = `${x(scene.time)}px`;
    cursor.style.height = `${count * high}px`;
    cursor.hidden = scene.time < scene.window[0] || scene.time > scene.window[1];
  }

  // The transmission under a point, or else the round of a device; `slack` pixels beside it count.
  function hit(px, py, slack = 3) {
    const device = known.devices[Math.floor(py / high)];
    const [early, late] = [timeAt(px - slack), timeAt(px + slack)];
    if (device === undefined) return null;
    let best = null;
    if (!laned || py % high > strip) {
      for (let n = 0; n < transfers.src.length; n++) {
        if (
          transfers.src[n] !== device ||
          transfers.start_s[n] > late ||
          transfers.end_s[n] < early
        )
          continue;
        const [y, height] = laneOf(n),
          off_y = Math.max(y - py, py - y - height, 0);
        if (best === null || off_y < best.off_y) best = { n, off_y };
      }
      if (best) return { table: "transfers", n: best.n };
    }
    const time = timeAt(px);
    const n = rounds.device.findIndex(
      (one, k) => one === device && rounds.start_s[k] <= time && time < rounds.end_s[k],
    );
    return n < 0 ? null : { table: "rounds", n };
  }

  followPointer(canvas, {
    moved: (dx) => {
      const length = scene.window[1] - scene.window[0];
      scene.look(scene.window[0] - (dx / (width - LABELS)) * length, length);
    },
    clicked: (px, py) => {
      const found = hit(px, py);
      scene.goTo(timeAt(px));
      if (found) scene.choose(found.table, found.n);
    },
    zoomed: (factor, px) => scene.zoom(factor, timeAt(px)),
  });
  scene.watch((what) => {
    if (what === "time") moveCursor();
    else draw();
  });
  keepDrawn(holder, draw);
}

// A lane for each transmission, so that no two of a sender lie on each other.
function lanesOf(transfers) {
  const of = new Int32Array(transfers.src.length),
    free = new Map(),
    most = new Map();
  const order = Array.from(of, (_, n) => n).sort(
    (a, b) => transfers.start_s[a] - transfers.start_s[b] || transfers.dst[a] - transfers.dst[b],
  );
  for (const n of order) {
    const src = transfers.src[n];
    if (!free.has(src)) free.set(src, []);
    const busy = free.get(src);
    let lane = busy.findIndex((until) => until <= transfers.start_s[n]);
    if (lane < 0) lane = busy.length;
    busy[lane] = transfers.end_s[n];
    of[n] = lane;
    most.set(src, busy.length);
  }
  return { of, most };
}

// Tells a click from a drag along, and a wheel that is held with Ctrl from one that scrolls.
function followPointer(canvas, { moved, clicked, zoomed }) {
  let last = null,
    travelled = 0;
  canvas.addEventListener("pointerdown", (event) => {
    last = event.clientX;
    travelled = 0;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last === null) return;
    travelled += Math.abs(event.clientX - last);
    if (travelled > 4) moved(event.clientX - last);
    last = event.clientX;
  });
  canvas.addEventListener("pointerup", (event) => {
    if (last !== null && travelled <= 4) clicked(event.offsetX, event.offsetY);
    last = null;
  });
  canvas.addEventListener("pointercancel", () => {
    last = null;
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoomed(event.deltaY > 0 ? 1.25 : 0.8, event.offsetX);
    },
    { passive: false },
  );
}
