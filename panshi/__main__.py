"""``python -m panshi``."""

from panshi.cli import main

main()
