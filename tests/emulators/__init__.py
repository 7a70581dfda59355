"""Stand-ins for what a laboratory cannot have; each refuses what it does not emulate."""
