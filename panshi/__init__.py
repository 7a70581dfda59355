"""磐石 Panshi: the controller's library behind the jobs of this repository."""

__version__ = "0.1.0"
