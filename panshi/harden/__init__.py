"""What hardening is about to do on a host: selection, coverage by roles, and the plan shown before it."""

from panshi.harden.coverage import Coverage, load_coverage
from panshi.harden.plan import plan_rows
from panshi.harden.selection import Selection, needs_opt_in, select_checks

__all__ = ["Coverage", "Selection", "load_coverage", "needs_opt_in", "plan_rows", "select_checks"]
