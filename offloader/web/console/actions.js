// Actions of an operator: each is confirmed in a dialog that shows what it leads from and to.

import { headers } from "./access.js";

const part = (name) => document.getElementById(`act-${name}`);
const dialog = document.getElementById("act");
let asked = null;

/** Open the dialog for a button's action; `acted` is called once an action was carried out. */
export function listen(acted) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-kind]");
    if (button) open(button.dataset);
  });
  part("close").addEventListener("click", () => dialog.close());
  part("choice").addEventListener("input", () => {
    part("after").textContent = part("choice").value.trim() || "–";
  });
  part("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    await act();
    acted();
  });
}

function open({ kind, dataset, label, before, after, effect, takes, choices }) {
  asked = { kind, dataset };
  const fields = new Set(takes.split(" "));
  part("title").textContent = `${label} ${dataset}`;
  part("before").textContent = before;
  part("after").textContent = after || "–";
  part("effect").textContent = effect;
  for (const name of ["choice", "reason", "accept"]) part(`${name}-field`).hidden = !fields.has(name);
  part("choice").value = fields.has("choice") ? after : "";
  part("choice").required = fields.has("choice");
  part("known").replaceChildren(...choices.split(" ").filter(Boolean).map(option));
  part("reason").value = "";
  part("accept").checked = false;
  say("", "");
  part("do").hidden = false;
  part("do").disabled = false;
  part("do").textContent = label;
  part("close").textContent = "Cancel";
  dialog.showModal();
}

function option(value) {
  const made = document.createElement("option");
  made.value = value;
  return made;
}

async function act() {
  part("do").disabled = true;
  say("Under way…", "");
  const [text, isWell] = await ask(asked, body());
  say(text, isWell ? "good" : "bad");
  part("do").disabled = false;
  part("do").hidden = isWell;
  part("close").textContent = "Close";
  if (isWell) part("close").focus();
}

function body() {
  const sent = {};
  if (!part("choice-field").hidden) sent.snapshot_id = part("choice").value.trim();
  if (!part("reason-field").hidden && part("reason").value) sent.reason = part("reason").value;
  if (!part("accept-field").hidden && part("accept").checked) sent.accept = true;
  return sent;
}

async function ask({ kind, dataset }, sent) {
  try {
    const reply = await fetch(`datasets/${dataset}/${kind}`, {
      method: "POST",
      headers: { ...headers(), "Content-Type": "application/json" },
      body: JSON.stringify(sent),
    });
    return told(await reply.json());
  } catch {
    return ["No answer. Look at the page before you ask again: it may have been done.", false];
  }
}

function told({ error, outcome, code, message, hint, from, to }) {
  if (error) return [`Not done: ${error.message} (${error.code}).`, false];
  const isWell = ["done", "unchanged", "pending"].includes(outcome);
  const swap = from !== to && to ? `\n${from ?? "nothing"} → ${to}` : "";
  const why = isWell || !code ? "" : ` (${code})`;
  return [`${capital(outcome)}: ${message}${why}.${swap}${hint ? `\n${capital(hint)}.` : ""}`, isWell];
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function say(text, level) {
  part("result").textContent = text;
  part("result").className = level;
}
