"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const show = (elements) => elements.forEach((element) => element.removeAttribute("hidden"));
  let address = document.body.dataset.url;

  // Names that hold all the words stay.
  const filter = document.getElementById("filter-text");
  const names = all(".names li");
  function narrow() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const name of names) {
      const isLeft = words.every((word) => name.dataset.words.includes(word));
      name.hidden = !isLeft;
      const section = document.getElementById(name.firstElementChild.hash.slice(1));
      section.hidden = !isLeft;
      left += isLeft ? 1 : 0;
    }
    document.querySelector(".none").hidden = left > 0 || names.length === 0;
    const count = words.length ? `${left} of ${names.length}` : "";
    document.getElementById("filter-count").textContent = count;
  }
  filter.addEventListener("input", narrow);
  filter.addEventListener("keydown", (event) => {
    const first = names.find((name) => !name.hidden);
    if (event.key === "Enter" && first) location.hash = first.firstElementChild.hash;
  });

  function quoted(text) {
    return `'${text.replaceAll("'", "'\\''")}'`;
  }

  function request(form) {
    const query = new URLSearchParams();
    for (const field of all("[name]", form)) {
      if (field.value !== "") query.append(field.name, field.value);
    }
    const lines = ["curl"];
    if (form.dataset.key) lines[0] += ` -H "Authorization: Bearer $${form.dataset.key}"`;
    const accept = form.querySelector(".accept").value;
    if (accept) lines.push(`-H 'Accept: ${accept}'`);
    const asked = query.size ? `?${query}` : "";
    lines.push(quoted(`${address}${form.dataset.path}${asked}`));
    return lines.join(" \\\n  ");
  }

  function missing(form) {
    const labels = all("label", form).filter((label) => label.querySelector(".must"));
    const empty = labels.filter((label) => label.control.value === "");
    return empty.map((label) => label.control.name).join(", ");
  }

  const reserved = ["limit", "offset", "columns", "cursor"];
  function isAllowed(form) {
    const sets = JSON.parse(form.dataset.sets).map((names) => names.join());
    const sent = all("[name]", form).filter((field) => field.value !== "");
    const names = sent.map((field) => field.name).filter((name) => !reserved.includes(name));
    return sets.length === 0 || sets.includes(names.sort().join());
  }

  function problem(form) {
    const names = missing(form);
    if (names) return `Still required: ${names}`;
    return isAllowed(form) ? "" : "These params are not one of the allowed sets";
  }

  function print(form) {
    form.querySelector("pre code").textContent = request(form);
    form.querySelector(".problem").textContent = problem(form);
  }
  const forms = all(".try form");
  for (const form of forms) {
    form.addEventListener("input", () => print(form));
    form.addEventListener("submit", (event) => event.preventDefault());
    print(form);
  }

  const field = document.getElementById("api-address");
  const texts = all("pre code").filter((code) => !code.closest(".try"));
  field.form.addEventListener("submit", (event) => event.preventDefault());
  field.addEventListener("input", () => {
    const wanted = field.value.trim().replace(/\/+$/, "");
    if (!/^https?:\/\/[A-Za-z0-9._~:[\]\/-]+$/.test(wanted)) return;
    for (const code of texts) code.textContent = code.textContent.replaceAll(address, wanted);
    address = wanted;
    forms.forEach(print);
  });

  for (const button of all(".copy")) {
    button.addEventListener("click", async () => {
      const text = button.parentElement.querySelector("code").textContent;
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
  }

  // A narrow screen begins with the text.
  const contents = document.querySelector(".side details");
  if (matchMedia("(max-width: 60rem)").matches) contents.open = false;
  show(all(".filter, .address, .try"));
  if (navigator.clipboard) show(all(".copy"));
})();
