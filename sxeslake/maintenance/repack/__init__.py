"""Repack: what packs hold, compressed again by another preset; old packs are condemned, and left to `gc`."""
