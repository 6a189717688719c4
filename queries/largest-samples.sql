-- Largest samples
--
-- By the bytes of their contents, all versions together.
--
-- parameter: top integer = 20: So many samples.
-- show: sample, versions, members, positions, bytes_source, bytes_raw, bytes_stored, last_ingested_at
SELECT
    /*lakes: lake, */ sample,
    count(*) AS versions,
    max(version) AS latest_version,
    sum(bytes_raw)::BIGINT AS bytes_raw,
    sum(bytes_source)::BIGINT AS bytes_source,
    sum(bytes_stored)::BIGINT AS bytes_stored,
    arg_max(members, version) AS members,
    arg_max(positions, version) AS positions,
    max(ingested_at) AS last_ingested_at
FROM archives
GROUP BY /*lakes: lake, */ sample
ORDER BY bytes_raw DESC NULLS LAST, sample /*lakes: , lake */
LIMIT $top;
