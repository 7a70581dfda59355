"""The catalogue: load and validate ``controls/``, resolve profile, level, overrides and waivers."""

from panshi.controls.catalogue import Catalogue, Check, Control, load_catalogue
from panshi.controls.params import Parameter, Params
from panshi.controls.profile import Profile, load_profile, select
from panshi.controls.site import Waiver, find_waiver, load_waivers, resolve_params

__all__ = [
    "Catalogue",
    "Check",
    "Control",
    "Parameter",
    "Params",
    "Profile",
    "Waiver",
    "find_waiver",
    "load_catalogue",
    "load_profile",
    "load_waivers",
    "resolve_params",
    "select",
]
