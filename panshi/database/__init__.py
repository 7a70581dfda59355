"""What the structure, size and use of databases call for: facts of servers -> findings and proposals (pure)."""
