"""May an original be deleted? Files compared with what the bucket holds."""
