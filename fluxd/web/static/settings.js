// Settings and Status: lists keep up to date.

import "./keys.js";
import { localTimes } from "./format.js";
import { every, refresh, remember } from "./live.js";

const live = [...document.querySelectorAll("[data-live]")];
if (live.length) {
  live.forEach(remember);
  const seconds = Math.min(...live.map((part) => Number(part.dataset.live)));
  every(seconds, () => refresh(live.map((part) => part.id)));
}
localTimes();
