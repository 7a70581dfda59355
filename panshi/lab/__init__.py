"""The lab: real Linux hosts on the operator's own machine, described in inventories/lab/lab.yml."""
