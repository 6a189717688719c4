"""The catalogue as Delta tables and as folders of Parquet files, for programs that know nothing of sxeslake."""
