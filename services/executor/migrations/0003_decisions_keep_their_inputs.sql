-- Everything that a decision stood on, as JSON: the settings in force, spot, forward, limits, checks.
-- '' for a decision of before.
ALTER TABLE decisions
    ADD COLUMN IF NOT EXISTS inputs String CODEC(ZSTD(3));
