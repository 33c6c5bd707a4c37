// Silence: a time that is chosen is by this browser's clock, so how far that is from UTC goes along.

const form = document.getElementById("expect-form");

form.addEventListener("submit", () => {
  const chosen = form.elements.begins.value;
  form.elements.offset.value = chosen ? -new Date(chosen).getTimezoneOffset() : "";
});
