// Where devices are at the moment of a scene, and what they send and have sent in their rounds.

function showMap(scene) {
  const holder = scene.article.querySelector(".map");
  if (!scene.places.device.length) {
    holder.append("No place of a device is known.");
    return;
  }
  const canvas = element("canvas", { role: "img", "aria-label": "map of devices and their links" });
  holder.append(canvas);
  const { places, transfers, known } = scene;
  const paths = pathsOf(places);
  const frame = frameOf(places, known.area);
  const numbered = paths.size <= 100;

  // Straight between samples, and at rest outside them.
  function at(device, time) {
    const path = paths.get(device);
    if (!path) return null;
    let [low, high] = path;
    if (time <= places.time_s[low]) return [places.x_m[low], places.y_m[low]];
    if (time >= places.time_s[high]) return [places.x_m[high], places.y_m[high]];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (places.time_s[middle] <= time) low = middle;
      else high = middle;
    }
    const part = (time - places.time_s[low]) / (places.time_s[high] - places.time_s[low]);
    return [
      places.x_m[low] + part * (places.x_m[high] - places.x_m[low]),
      places.y_m[low] + part * (places.y_m[high] - places.y_m[low]),
    ];
  }

  function awayNow() {
    const away = new Set();
    for (let n = 0; n < scene.off.device.length; n++) {
      if (scene.off.start_s[n] <= scene.time && scene.time < scene.off.end_s[n]) {
        away.add(scene.off.device[n]);
      }
    }
    return away;
  }

  function draw() {
    const size = holder.clientWidth;
    if (!size) return;
    const pen = sharp(canvas, size, size);
    const scale = (size - 24) / frame.span;
    const place = ([x, y]) => [
      12 + (x - frame.x + frame.span / 2) * scale,
      12 + (frame.y + frame.span / 2 - y) * scale,
    ];
    drawArea(pen, known.area, place, scale);
    const spots = new Map();
    for (const device of paths.keys()) spots.set(device, place(at(device, scene.time)));
    const shown = [],
      missed = new Set();
    for (let n = 0; n < transfers.src.length; n++) {
      if (transfers.start_s[n] <= scene.time && scene.time <= scene.until[n]) shown.push(n);
    }
    const flying = (n) => scene.time < transfers.end_s[n];
    shown.sort((a, b) => flying(a) - flying(b));
    const fine = shown.length > 150 ? 0.45 : 1;
    for (const n of shown) {
      const [from, to] = [spots.get(transfers.src[n]), spots.get(transfers.dst[n])];
      if (!from || !to) continue;
      const outcome = scene.outcomes[transfers.outcome[n]];
      const chosen = scene.chosen?.table === "transfers" && scene.chosen.n === n;
      if (!flying(n) && outcome !== "delivered") missed.add(transfers.src[n]);
      pen.strokeStyle = colour(chosen ? "ink" : flying(n) ? "air" : outcome);
      pen.globalAlpha = chosen || flying(n) ? 1 : 0.55 * fine;
      pen.lineWidth = chosen ? 4 : (flying(n) ? 2.6 : 1.4) * fine;
      drawLink(pen, from, to, shown.length <= 400);
    }
    pen.globalAlpha = 1;
    const away = awayNow();
    const radius = paths.size <= 30 ? 10 : numbered ? 7 : 2.5;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const [device, [x, y]] of spots) {
      pen.beginPath();
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      pen.fillStyle = colour(away.has(device) ? "away" : "ink");
      pen.fill();
      if (missed.has(device)) {
        pen.lineWidth = numbered ? 3 : 1.2;
        pen.strokeStyle = colour("late");
        pen.stroke();
      }
      if (numbered) {
        pen.fillStyle = colour("paper");
        pen.fillText(String(device), x, y + 0.5);
      }
    }
    drawScale(pen, size, scale);
  }

  scene.watch((what) => {
    if (what !== "window") draw();
  });
  keepDrawn(holder, draw);
}

// The first and the last sample of each device.
function pathsOf(places) {
  const paths = new Map();
  places.device.forEach((device, n) => {
    if (paths.has(device)) paths.get(device)[1] = n;
    else paths.set(device, [n, n]);
  });
  return paths;
}

// The middle and the side of a square about the area and all places.
function frameOf(places, area) {
  const half = area ? (area.radius_m ?? area.side_m / 2) : 0;
  const lowest = (values) => values.reduce((a, b) => Math.min(a, b), area ? -half : Infinity);
  const highest = (values) => values.reduce((a, b) => Math.max(a, b), area ? half : -Infinity);
  const [left, right] = [lowest(places.x_m), highest(places.x_m)];
  const [low, high] = [lowest(places.y_m), highest(places.y_m)];
  const span = Math.max(right - left, high - low) * 1.06 || 2;
  return { x: (left + right) / 2, y: (low + high) / 2, span };
}

function drawArea(pen, area, place, scale) {
  if (!area) return;
  pen.strokeStyle = colour("faint");
  pen.lineWidth = 1;
  pen.setLineDash([4, 3]);
  const [x, y] = place([0, 0]);
  pen.beginPath();
  if (area.radius_m) pen.arc(x, y, area.radius_m * scale, 0, 2 * Math.PI);
  else
    pen.rect(
      x - (area.side_m * scale) / 2,
      y - (area.side_m * scale) / 2,
      area.side_m * scale,
      area.side_m * scale,
    );
  pen.stroke();
  pen.setLineDash([]);
}

// An arrow that bends to its right, so that the two directions of a pair lie side by side.
function drawLink(pen, [x1, y1], [x2, y2], headed) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const length = Math.hypot(dx, dy);
  if (length < 1) return;
  const [cx, cy] = [(x1 + x2) / 2 - dy * 0.1, (y1 + y2) / 2 + dx * 0.1];
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.quadraticCurveTo(cx, cy, x2, y2);
  pen.stroke();
  if (!headed || length < 30) return;
  const angle = Math.atan2(y2 - cy, x2 - cx);
  const [tx, ty] = [x2 - 12 * Math.cos(angle), y2 - 12 * Math.sin(angle)];
  pen.beginPath();
  for (const turn of [0.42, -0.42]) {
    pen.moveTo(tx, ty);
    pen.lineTo(tx - 8 * Math.cos(angle + turn), ty - 8 * Math.sin(angle + turn));
  }
  pen.stroke();
}

function drawScale(pen, size, scale) {
  const metres = niceStep(size / scale, 4);
  pen.strokeStyle = pen.fillStyle = colour("faint");
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(10, size - 8);
  pen.lineTo(10 + metres * scale, size - 8);
  pen.stroke();
  pen.textAlign = "left";
  pen.textBaseline = "bottom";
  pen.fillText(`${rounded(metres)} m`, 10, size - 12);
}
