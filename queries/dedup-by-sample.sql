-- What deduplication saved, sample by sample
--
-- Bytes of the source files, of their contents, and what storing them added to the lake. A sample whose contents
-- were there already added next to nothing.
--
-- parameter: top integer = 100: So many samples, those first that saved most.
-- show: sample, versions, bytes_source, bytes_stored, bytes_saved, stored_per_source
SELECT
    /*lakes: lake, */ sample,
    count(*) AS versions,
    sum(members)::BIGINT AS members,
    sum(blobs)::BIGINT AS blobs,
    sum(blobs_new)::BIGINT AS blobs_new,
    sum(bytes_source)::BIGINT AS bytes_source,
    sum(bytes_raw)::BIGINT AS bytes_raw,
    sum(bytes_stored)::BIGINT AS bytes_stored,
    (sum(bytes_source) - sum(bytes_stored))::BIGINT AS bytes_saved,
    round(sum(bytes_stored) / nullif(sum(bytes_source), 0), 4) AS stored_per_source
FROM archives
GROUP BY /*lakes: lake, */ sample
ORDER BY bytes_saved DESC NULLS LAST, sample /*lakes: , lake */
LIMIT $top;
