"""What tables, columns and views the catalogue has."""
