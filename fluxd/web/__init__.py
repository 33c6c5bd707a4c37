"""HTTP: the endpoints over the store and what is known, and the server that runs them."""
