"""Logs of products and applications: what is declared, what was proven, what was reviewed (docs/design.md, 11)."""
