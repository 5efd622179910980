// Puts new HTML in the place of old, and touches only what differs: no flicker, the focus stays.

const OWN = new Set(["hidden", "open", "aria-expanded"]); // the reader's, not the server's
const trusted = window.trustedTypes?.createPolicy("console", { createHTML: (html) => html });

/** Make the inside of an element what the HTML says. */
export function morph(element, html) {
  const template = document.createElement("template");
  template.innerHTML = trusted ? trusted.createHTML(html) : html;
  const focused = document.activeElement;
  syncChildren(element, template.content);
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
}

function syncChildren(parent, wanted) {
  const byId = new Map();
  for (const child of parent.children) if (child.id) byId.set(child.id, child);
  let here = parent.firstChild;
  for (const next of [...wanted.childNodes]) {
    const known = next.id ? byId.get(next.id) : undefined;
    if (known && known !== here) parent.insertBefore(known, here);
    const old = known ?? (here && !here.id ? here : null);
    if (old && isAlike(old, next)) {
      sync(old, next);
      here = old.nextSibling;
    } else {
      parent.insertBefore(next, here);
    }
  }
  while (here) {
    const gone = here;
    here = here.nextSibling;
    gone.remove();
  }
}

function isAlike(old, next) {
  return old.nodeType === next.nodeType && old.nodeName === next.nodeName;
}

function sync(old, next) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  if (old.isEqualNode(next)) return;
  syncAttributes(old, next);
  syncChildren(old, next);
}

function syncAttributes(old, next) {
  for (const { name, value } of next.attributes) {
    if (!OWN.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!OWN.has(name) && !next.hasAttribute(name)) old.removeAttribute(name);
  }
}
