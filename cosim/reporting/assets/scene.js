// A moment and a window of time of one run, which its map and its timeline share.

class Scene {
  constructor(article, known, tables) {
    Object.assign(this, { article, known }, tables);
    this.watchers = [];
    this.chosen = null;
    this.outcomes = known.words.outcome;
    this.rank = new Map(known.devices.map((device, n) => [device, n]));
    const { rounds, transfers } = this;
    const ends = new Map();
    this.roundSpans = new Map();
    for (let n = 0; n < rounds.round.length; n++) {
      const [start, end] = [rounds.start_s[n], rounds.end_s[n]];
      ends.set(`${rounds.device[n]}/${rounds.round[n]}`, end);
      const span = this.roundSpans.get(rounds.round[n]);
      if (!span) this.roundSpans.set(rounds.round[n], { start, end, latest: start });
      else {
        span.latest = Math.max(span.latest, start);
        span.start = Math.min(span.start, start);
        span.end = Math.max(span.end, end);
      }
    }
    // A transmission is shown on the map until its sender's round is over.
    this.until = Float64Array.from(transfers.src, (src, n) =>
      Math.max(ends.get(`${src}/${transfers.round[n]}`) ?? known.end_s, transfers.end_s[n]),
    );
    const spans = [...this.roundSpans.values()];
    this.together = spans.every(
      (span) => span.latest - span.start < 0.02 * (span.end - span.start),
    );
    const third = this.roundSpans.get(known.rounds[2]);
    this.window = [0, third && known.rounds.length > 3 ? third.end : known.end_s];
    this.time = transfers.start_s.length ? Math.min(...transfers.start_s.slice(0, 50)) : 0;
  }

  watch(changed) {
    this.watchers.push(changed);
  }

  tell(what) {
    for (const changed of this.watchers) changed(what);
  }

  // Goes to a moment; the window follows where it would leave it.
  goTo(time) {
    this.time = Math.min(Math.max(time, 0), this.known.end_s);
    const [from, to] = this.window;
    if (this.time < from || this.time > to) this.look(this.time - 0.05 * (to - from), to - from);
    this.tell("time");
  }

  // Shows a length of time from a moment on, inside the run.
  look(from, length) {
    const { end_s } = this.known;
    const wide = Math.min(Math.max(length, end_s * 1e-5), end_s);
    const start = Math.min(Math.max(from, 0), end_s - wide);
    this.window = [start, start + wide];
    this.tell("window");
  }

  zoom(factor, about = (this.window[0] + this.window[1]) / 2) {
    const [from, to] = this.window;
    this.look(about - (about - from) * factor, (to - from) * factor);
  }

  choose(table, n) {
    this.chosen = { table, n };
    this.tell("chosen");
  }
}

function button(words, label, pressed) {
  const made = element("button", { type: "button", "aria-label": label, title: label }, words);
  made.addEventListener("click", pressed);
  return made;
}

// The slider, the clock and the buttons that move a scene.
function showControls(scene) {
  const holder = scene.article.querySelector(".controls");
  const { end_s } = scene.known;
  const decimals = Math.min(Math.max(3 - Math.floor(Math.log10(end_s)), 0), 9);
  const slider = element("input", {
    type: "range",
    class: "moment",
    min: 0,
    max: end_s,
    step: end_s / 2000 || 1,
    "aria-label": "moment on the map",
  });
  const clock = element("output", { class: "clock" });
  let playing = false,
    before = 0;
  const play = button("▶", "play", () => {
    playing = !playing;
    play.textContent = playing ? "❚❚" : "▶";
    before = 0;
    if (playing) requestAnimationFrame(frame);
  });
  function frame(now) {
    if (!playing) return;
    const pace = (scene.window[1] - scene.window[0]) / 12000;
    if (before) scene.goTo(scene.time + (now - before) * pace);
    before = now;
    if (scene.time >= end_s) play.click();
    else requestAnimationFrame(frame);
  }
  slider.addEventListener("input", () => scene.goTo(+slider.value));
  const rounds = element("select", { "aria-label": "rounds shown" });
  rounds.append(element("option", { value: "" }, "rounds…"));
  rounds.append(element("option", { value: "all" }, "all rounds"));
  for (const number of scene.known.rounds) {
    rounds.append(element("option", { value: number }, `round ${number}`));
  }
  rounds.addEventListener("change", () => {
    const { value } = rounds,
      span = scene.roundSpans.get(+value) ?? { start: 0, end: end_s };
    scene.look(span.start, span.end - span.start);
    if (value !== "all") scene.goTo(span.start);
    rounds.value = value;
  });
  const length = () => scene.window[1] - scene.window[0];
  holder.append(
    element("div", { class: "moving" }, play, slider, clock),
    element(
      "div",
      { class: "windowing" },
      "timeline: ",
      rounds,
      button("◀", "earlier", () => scene.look(scene.window[0] - length() / 2, length())),
      button("▶", "later", () => scene.look(scene.window[0] + length() / 2, length())),
      button("+", "closer", () => scene.zoom(0.5)),
      button("−", "wider", () => scene.zoom(2)),
    ),
  );
  function tell() {
    slider.value = scene.time;
    clock.textContent = `${scene.time.toFixed(decimals)} of ${end_s.toFixed(decimals)} s`;
  }
  scene.watch((what) => {
    if (what === "time") tell();
    if (what === "window") rounds.value = "";
  });
  tell();
}

// A canvas as large as it is shown, sharp on dense screens; `draw` gets it in screen pixels.
function sharp(canvas, width, height) {
  const dense = width * height > 3e6 ? 1 : Math.min(devicePixelRatio || 1, 2);
  canvas.width = Math.round(width * dense);
  canvas.height = Math.round(height * dense);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.setTransform(dense, 0, 0, dense, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  return pen;
}
