"""Background work: plain functions, and the one thread that calls them."""
