"""What a drive would take before anything is stored."""
