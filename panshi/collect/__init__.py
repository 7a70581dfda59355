"""Read hosts without changing them: the collectors that travel to a target and the controller side that sends them."""
