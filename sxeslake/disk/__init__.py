"""Local files that people asked for: written beside their place, then put there in one step."""
