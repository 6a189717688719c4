"""Where the catalogue lies: parts in the local cache and in the bucket, brought up to date from the log."""
