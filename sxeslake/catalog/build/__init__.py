"""From the JSON documents of archives to rows in the tables. Pure, but for writing the parts."""
