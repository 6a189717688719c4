"""Packs: blobs encoded into frames, frames placed into packs, packs uploaded."""
