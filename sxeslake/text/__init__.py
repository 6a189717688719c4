"""Text for people: tables, HTML, safe characters, plurals, suggestions."""
