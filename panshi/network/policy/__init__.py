"""Access policies as data: checked, compiled for firewalls and access lists, analysed, and changed without a hole."""
