"""Reviews of databases and what comes of them."""
