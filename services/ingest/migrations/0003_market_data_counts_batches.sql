-- A batch is known by a number that rises, not by a UUID: start of ingest (epoch ms) * 2^22 + number
-- of the frame. Of the row, the highest byte is the connection, the next one the partition, the rest
-- counts the ticks of the instrument in the batch. Rows of before keep their batch_id and have no
-- batch; so have those of batches that were received before.
ALTER TABLE market_data
    ADD COLUMN IF NOT EXISTS batch UInt64 CODEC(Delta, ZSTD(1)),
    MODIFY ORDER BY (tradingsymbol, exchange_timestamp, batch_id, row, batch);
