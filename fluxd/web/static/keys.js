// A key is fetched once it is asked for, and is in the code that is copied.

const token = document.querySelector("meta[name=csrf-token]")?.content ?? "";
const form = document.getElementById("key-form");

const secrets = new Map();

async function fetchSecret(name) {
  if (!secrets.has(name)) {
    const answer = await fetch("/settings/integrations/key", {
      method: "POST",
      headers: { "X-CSRF-Token": token, "Content-Type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ key: name }),
    });
    if (!answer.ok) throw new Error(`the answer was ${answer.status}`);
    secrets.set(name, (await answer.json()).key);
  }
  return secrets.get(name);
}

function fill(secret) {
  document.querySelectorAll(".key-place").forEach((place) => (place.textContent = secret));
  const shown = document.getElementById("secret");
  if (shown) {
    shown.textContent = secret;
    shown.hidden = false;
  }
}

// What is copied has the key in it, whether it is shown or not.
async function copy(button) {
  const block = button.closest(".code");
  const code = block.querySelector("pre").cloneNode(true);
  const places = code.querySelectorAll(".key-place");
  if (places.length && block.dataset.keyName) {
    const secret = await fetchSecret(chosen(block));
    places.forEach((place) => (place.textContent = secret));
  }
  await navigator.clipboard.writeText(code.textContent);
}

const chosen = (block) => form?.elements.key?.value ?? block.dataset.keyName;

if (navigator.clipboard) document.documentElement.dataset.clipboard = "yes";
for (const button of document.querySelectorAll("button.copy")) {
  if (!navigator.clipboard) break; // a browser has none without TLS, but on loopback
  button.hidden = false;
  const label = button.firstChild;
  button.addEventListener("click", async () => {
    try {
      await copy(button);
      label.data = "Copied";
    } catch {
      label.data = "Not copied";
    }
    setTimeout(() => (label.data = "Copy"), 2000);
  });
}

form?.addEventListener("submit", async (event) => {
  if (event.submitter?.value !== "show") return;
  event.preventDefault();
  try {
    fill(await fetchSecret(form.elements.key.value));
  } catch {
    form.submit();
  }
});

// The examples are for the key that is chosen.
document.getElementById("key")?.addEventListener("change", async (event) => {
  if (!form) return event.target.form.submit();
  if (!document.getElementById("secret").hidden) fill(await fetchSecret(event.target.value));
});
