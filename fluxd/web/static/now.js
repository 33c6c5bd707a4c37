// The page Now keeps itself up to date.

import "./keys.js";
import { every, refresh, remember } from "./live.js";

const root = document.getElementById("now");
remember(root);
every(Number(root.dataset.live), () => refresh(["now"]));
