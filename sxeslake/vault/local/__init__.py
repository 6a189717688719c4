"""What this machine keeps of a lake: files that only their owner reads."""
