// Incidents: times by the browser's clock, and the list follows what is chosen.

import { localTimes } from "./format.js";

localTimes();
document.getElementById("search")?.addEventListener("change", (event) => event.currentTarget.submit());
