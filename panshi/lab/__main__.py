"""Run the lab commands alone: ``python -m panshi.lab up``."""

from panshi.lab.cli import app

app(prog_name="panshi lab")
