"""A part of a version: which positions, analyses, data types and members are taken, and what that costs."""
