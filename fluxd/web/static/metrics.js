// Search as one types: the page itself is asked, and its rows taken over.

import { every, refresh, remember } from "./live.js";

const PARTS = ["rows", "pager"];
const PAUSE_MS = 90;
const form = document.getElementById("search");
let pause = null;
let request = null;

PARTS.forEach((id) => remember(document.getElementById(id)));

async function search() {
  const query = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...query]) if (!value) query.delete(name);
  const url = query.size ? `${form.action}?${query}` : form.action;
  request?.abort();
  request = new AbortController();
  form.setAttribute("aria-busy", "true");
  try {
    await refresh(PARTS, url, request.signal);
    history.replaceState(null, "", url);
    form.removeAttribute("aria-busy");
  } catch (error) {
    if (error.name !== "AbortError") location.assign(url);
  }
}

form.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(search, PAUSE_MS);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
every(20, () => refresh(PARTS));
