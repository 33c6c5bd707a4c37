// The page Now keeps itself up to date.

import { every, refresh, remember } from "./live.js";

const root = document.getElementById("now");
remember(root);

// What is copied goes through the browser's clipboard, which there is on loopback and behind TLS.
if (navigator.clipboard) document.documentElement.dataset.clipboard = "yes";
root.addEventListener("click", async (event) => {
  const button = event.target.closest(".copy-this");
  if (!button) return;
  await navigator.clipboard.writeText(button.previousElementSibling.textContent);
  button.textContent = "Copied";
});
every(Number(root.dataset.live), () => refresh(["now"]));
