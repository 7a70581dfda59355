"""The patch job: what a plan is, what it is made from, and whether it may be carried out (docs/design.md, 8)."""

from panshi.document import digest
from panshi.patch.gate import refusals
from panshi.patch.plan import Plan, load_plan, make_plan, save_plan

__all__ = ["Plan", "digest", "load_plan", "make_plan", "refusals", "save_plan"]
