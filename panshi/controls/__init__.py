"""The catalogue: load and validate ``controls/``, resolve profile, level, overrides and waivers."""

from panshi.controls.catalogue import Catalogue, Check, Control, digest_of, load_catalogue
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
    "digest_of",
    "find_waiver",
    "load_catalogue",
    "load_profile",
    "load_waivers",
    "resolve_params",
    "select",
]
