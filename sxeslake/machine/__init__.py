"""What this machine gives a program: threads in order, and a light interpreter."""
