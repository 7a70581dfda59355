"""Auditors that we did not write (Lynis, OpenSCAP, ssh-audit), asked before and after a change."""
