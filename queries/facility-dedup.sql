-- What deduplication saved, in the whole lake
--
-- One row: bytes of the sources, of their contents, of the different contents among them, and of the objects that
-- hold these.
--
-- show: samples, archives, bytes_source, bytes_raw, bytes_unique_raw, bytes_packs, stored_per_source
WITH versions AS (
    SELECT
        count(*) AS archives,
        count(DISTINCT (/*lakes: lake, */ sample)) AS samples,
        sum(members)::BIGINT AS members,
        sum(bytes_source)::BIGINT AS bytes_source,
        sum(bytes_raw)::BIGINT AS bytes_raw
    FROM archives
),

contents AS (
    SELECT
        count(*) AS blobs,
        sum(bytes_raw)::BIGINT AS bytes_unique_raw
    FROM (SELECT DISTINCT blake3, bytes_raw FROM blobs)
),

objects AS (
    SELECT
        count(*) AS packs,
        sum(bytes_stored)::BIGINT AS bytes_packs
    FROM packs
)

SELECT
    v.*,
    c.*,
    o.*,
    round(c.bytes_unique_raw / nullif(v.bytes_raw, 0), 4) AS unique_per_raw,
    round(o.bytes_packs / nullif(v.bytes_source, 0), 4) AS stored_per_source
FROM versions AS v
CROSS JOIN contents AS c
CROSS JOIN objects AS o;
