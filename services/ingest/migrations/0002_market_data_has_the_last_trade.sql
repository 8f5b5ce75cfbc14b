-- When the last trade was, and the exchange's open of the day; the epoch and 0 where unknown.
ALTER TABLE market_data
    ADD COLUMN IF NOT EXISTS last_trade_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    ADD COLUMN IF NOT EXISTS open_price Float64 CODEC(Delta, ZSTD(1));
