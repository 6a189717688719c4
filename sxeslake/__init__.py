"""sxeslake: a content-addressed data lake for electron-microprobe archives."""

__version__ = "0.1.0"
