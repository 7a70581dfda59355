"""Network devices: sessions, configurations, backups and changes."""
