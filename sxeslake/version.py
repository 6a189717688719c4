"""The version of this software, as it stands in log entries."""

__version__ = "0.1.0"
TOOL = f"sxeslake {__version__}"
