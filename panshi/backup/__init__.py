"""Backups, and the proof that they restore: what runs on the hosts (``agent``), and what the controller makes of it."""
