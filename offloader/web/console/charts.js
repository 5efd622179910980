// Two small charts, drawn from the differences of successive counts. Nothing is kept anywhere else.

const MOST = 120; // samples: ten minutes
const WIDTH = 300;
const HEIGHT = 60;
const points = [];
let before = null;

/** Take the counts of a moment (seconds since the epoch), and draw. */
export function addCounts(at, counts) {
  if (before && counts.requests < before.counts.requests) points.length = 0; // it was started anew
  else if (before && at > before.at) points.push(pointOf(before, { at, counts }));
  before = { at, counts };
  if (points.length > MOST) points.shift();
  if (points.length > 0) draw();
}

function pointOf(earlier, later) {
  const seconds = later.at - earlier.at;
  const buckets = later.counts.buckets.map((count, index) => count - earlier.counts.buckets[index]);
  const bounds = later.counts.bounds_seconds;
  return {
    rate: (later.counts.requests - earlier.counts.requests) / seconds,
    failed: (later.counts.failed - earlier.counts.failed) / seconds,
    half: quantile(buckets, bounds, 0.5),
    slow: quantile(buckets, bounds, 0.99),
  };
}

function quantile(buckets, bounds, share) {
  const wanted = share * buckets.reduce((sum, count) => sum + count, 0);
  let passed = 0;
  for (const [index, count] of buckets.entries()) {
    const lower = index ? bounds[index - 1] : 0;
    if (wanted && count && passed + count >= wanted) {
      return lower + ((bounds[index] - lower) * (wanted - passed)) / count;
    }
    passed += count;
  }
  return 0;
}

function draw() {
  document.getElementById("charts").hidden = false;
  const last = points.at(-1);
  const topRate = Math.max(1, ...points.map((one) => one.rate));
  const topSlow = Math.max(0.001, ...points.map((one) => one.slow));
  const rates = lines("rate", topRate, ["rate", "rate", "failed"]);
  rates[0].setAttribute("points", `0,${HEIGHT} ${rates[1].getAttribute("points")} ${WIDTH},${HEIGHT}`);
  lines("slow", topSlow, ["half", "slow"]);
  say("rate", `${number(last.rate)}/s`, `top ${number(topRate)}/s`, "Requests per second");
  say("slow", milliseconds(last.slow), `top ${milliseconds(topSlow)}`, "Time to answer, 99 of 100");
}

function lines(id, top, names) {
  const found = [...document.getElementById(id).children];
  names.forEach((name, index) => found[index].setAttribute("points", line(name, top)));
  return found;
}

function line(name, top) {
  const step = WIDTH / Math.max(1, points.length - 1);
  const places = points.map((one, index) => [index * step, HEIGHT - (one[name] / top) * (HEIGHT - 2)]);
  if (places.length === 1) places.push([WIDTH, places[0][1]]);
  return places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
}

function say(id, now, top, name) {
  document.getElementById(`${id}-now`).textContent = now;
  document.getElementById(`${id}-top`).textContent = top;
  document.getElementById(id).setAttribute("aria-label", `${name}: now ${now}, ${top}`);
}

function number(value) {
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(value >= 10 ? 0 : 1);
}

function milliseconds(seconds) {
  const value = seconds * 1000;
  return `${value >= 100 ? Math.round(value) : value.toPrecision(2)} ms`;
}
