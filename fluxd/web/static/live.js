// Brings parts of a page up to date without flicker: the page is asked for again, and only what is
// different is exchanged. What is shown is the server's own markup, in which all data is escaped.

import { localTimes } from "./format.js";

const arrived = new WeakMap(); // element → its markup as the server sent it

// Call once for each part, before anything else changes it.
export function remember(root) {
  for (const child of root.children) arrived.set(child, child.outerHTML);
  localTimes(root);
}

// Fetches a page, this one where no other is named, and takes over the parts with these ids.
export async function refresh(ids, url = location.href, signal = undefined) {
  const answer = await fetch(url, { headers: { Accept: "text/html" }, signal });
  if (answer.status === 401) location.reload(); // signed out: that page says what to do
  if (!answer.ok) throw new Error(`the answer was ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (document.title !== fresh.title) document.title = fresh.title;
  for (const id of ids) {
    const source = fresh.getElementById(id);
    if (source) merge(document.getElementById(id), source);
  }
}

function merge(root, source) {
  const focus = root.contains(document.activeElement) ? address(document.activeElement) : null;
  const present = new Map([...root.children].map((child) => [child.dataset.key, child]));
  let place = root.firstElementChild;
  for (const child of [...source.children]) {
    const old = present.get(child.dataset.key);
    const markup = child.outerHTML;
    let now = old;
    if (!old || arrived.get(old) !== markup) {
      now = document.importNode(child, true);
      arrived.set(now, markup);
      localTimes(now);
      keepOpen(old, now);
      if (old) {
        if (old === place) place = now;
        old.replaceWith(now);
      }
    }
    present.delete(child.dataset.key);
    if (now === place) place = place.nextElementSibling;
    else root.insertBefore(now, place);
  }
  present.forEach((gone) => gone.remove());
  if (focus && !root.contains(document.activeElement)) {
    [...root.querySelectorAll("a, summary, button")].find((one) => address(one) === focus)?.focus();
  }
}

// What somebody has unfolded stays so.
function keepOpen(old, now) {
  const before = old ? [...old.querySelectorAll("details")] : [];
  now.querySelectorAll("details").forEach((one, index) => (one.open = before[index]?.open ?? false));
}

const address = (node) => node.href || `${node.tagName} ${node.textContent}`;

// Calls `work` every so many seconds while the page is looked at, and when it is looked at again.
export function every(seconds, work) {
  let timer = null;
  const run = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      await work();
      document.documentElement.dataset.connection = "ok";
    } catch (error) {
      if (error.name !== "AbortError") document.documentElement.dataset.connection = "lost";
    }
    timer = setTimeout(run, seconds * 1000);
  };
  document.addEventListener("visibilitychange", run);
  timer = setTimeout(run, seconds * 1000);
}
