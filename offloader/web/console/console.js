// Keeps the open page current: asks every few seconds, and puts in place what has changed.

import * as access from "./access.js";
import * as actions from "./actions.js";
import { addCounts } from "./charts.js";
import { morph } from "./morph.js";

const EVERY_MS = 5000;
const PATIENCE_MS = 15000;
const shown = new Map();
let timer = 0;
let isPaused = false;
let turn = 0;

async function refresh() {
  clearTimeout(timer);
  const mine = ++turn;
  try {
    const news = await ask();
    if (mine === turn) show(news);
  } catch {
    if (mine === turn) lost();
  }
  if (mine === turn && !isPaused) timer = setTimeout(refresh, EVERY_MS);
}

async function ask() {
  const path = access.token() ? "console-details.json" : "console.json";
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const reply = await fetch(path, { headers: access.headers(), cache: "no-store", signal });
  if (reply.status === 401 || reply.status === 403) {
    access.forget();
    access.tell("This is not the admin token of this instance.");
    return ask();
  }
  if (!reply.ok) throw new Error(`status ${reply.status}`);
  return reply.json();
}

function show({ at, counts, sections }) {
  for (const [id, html] of Object.entries(sections)) {
    if (shown.get(id) !== html) morph(document.getElementById(id), html);
    shown.set(id, html);
  }
  document.title = `${document.getElementById("verdict-word").textContent} · Offloader`;
  addCounts(at, counts);
  document.querySelector(".filter")?.removeAttribute("hidden");
  filter();
  clock(`As of ${new Date(at * 1000).toISOString().slice(11, 19)} UTC`, false);
}

function lost() {
  clock(`No answer at ${new Date().toISOString().slice(11, 19)} UTC: this is what was known`, true);
}

function clock(text, isLost) {
  document.getElementById("told").textContent = text;
  document.querySelector(".clock").classList.toggle("lost", isLost);
}

function filter() {
  const wanted = document.getElementById("filter")?.value.trim().toLowerCase() ?? "";
  for (const body of document.querySelectorAll("tbody[data-name]")) {
    body.hidden = !body.dataset.name.includes(wanted);
  }
}

function toggle(button) {
  const more = document.getElementById(button.dataset.more);
  more.hidden = !more.hidden;
  button.setAttribute("aria-expanded", String(!more.hidden));
}

function begin() {
  const pause = document.getElementById("pause");
  pause.hidden = false;
  document.getElementById("reload").hidden = true;
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
    pause.textContent = isPaused ? "Go on" : "Pause";
    if (!isPaused) refresh();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-more]");
    if (button) toggle(button);
  });
  document.addEventListener("input", (event) => {
    if (event.target.id === "filter") filter();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !isPaused) refresh();
  });
  access.show();
  access.listen(refresh);
  actions.listen(refresh);
  refresh();
}

begin();
