"""Runs on the hosts, as ``panshi-backup``: backups, their copies, restores and the proof. Standard library, Python 3.8.

The role ``backup`` puts these files there as one package. Nothing here needs the controller: the timers of a host work
while the ops host is off, and a restore needs this package, restic, and the key from the estate's store.
"""
