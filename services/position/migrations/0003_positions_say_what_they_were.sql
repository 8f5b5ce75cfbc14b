-- What a report needs of a position beside its prices; 0 and '' in rows of versions before.
ALTER TABLE positions
    ADD COLUMN IF NOT EXISTS action LowCardinality(String),
    ADD COLUMN IF NOT EXISTS profile LowCardinality(String),
    ADD COLUMN IF NOT EXISTS openings UInt32 DEFAULT 1,
    ADD COLUMN IF NOT EXISTS lot_size Int64,
    ADD COLUMN IF NOT EXISTS bought_quantity Int64,
    ADD COLUMN IF NOT EXISTS sold_quantity Int64,
    ADD COLUMN IF NOT EXISTS highest_price Decimal(18, 4),
    ADD COLUMN IF NOT EXISTS lowest_price Decimal(18, 4);
