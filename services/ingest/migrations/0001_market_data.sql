-- Ticks as the exchange sent them: an exchange timestamp may be garbage (1970, another day).
-- Each is a row of a batch, so batch_id and row make it unique.
-- ttl: market_data 30 DAY
CREATE TABLE IF NOT EXISTS market_data (
    batch_id UUID CODEC(ZSTD(1)),
    row UInt32 CODEC(ZSTD(1)),
    instrument_token UInt32 CODEC(ZSTD(1)),
    exchange LowCardinality(String),
    tradingsymbol LowCardinality(String),
    trading_day Date CODEC(ZSTD(1)),
    exchange_timestamp DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    time_is_arrival UInt8 CODEC(ZSTD(1)),
    last_price Float64 CODEC(Delta, ZSTD(1)),
    last_traded_quantity Int64 CODEC(T64, ZSTD(1)),
    average_traded_price Float64 CODEC(Delta, ZSTD(1)),
    volume_traded Int64 CODEC(Delta, ZSTD(1)),
    total_buy_quantity Int64 CODEC(T64, ZSTD(1)),
    total_sell_quantity Int64 CODEC(T64, ZSTD(1)),
    oi Int64 CODEC(Delta, ZSTD(1)),
    bid_price Float64 CODEC(Delta, ZSTD(1)),
    bid_quantity Int64 CODEC(T64, ZSTD(1)),
    ask_price Float64 CODEC(Delta, ZSTD(1)),
    ask_quantity Int64 CODEC(T64, ZSTD(1)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(trading_day)
ORDER BY (tradingsymbol, exchange_timestamp, batch_id, row)
SETTINGS ratio_of_defaults_for_sparse_serialization = 1;
