"""What several tests use: lakes, archives, servers and faults, made for a test."""
