-- Candles, live and backfilled. The highest revision of a candle holds: read with FINAL.
-- expiry 1970-01-01 means none; vwap is nan where there was no trade.
-- ttl: historical_data 365 DAY
CREATE TABLE IF NOT EXISTS historical_data (
    event_id UUID CODEC(ZSTD(1)),
    exchange LowCardinality(String),
    tradingsymbol LowCardinality(String),
    expiry Date DEFAULT '1970-01-01' CODEC(ZSTD(1)),
    `interval` LowCardinality(String),
    opened_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    closes_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    trading_day Date CODEC(ZSTD(1)),
    open Float64 CODEC(Delta, ZSTD(1)),
    high Float64 CODEC(Delta, ZSTD(1)),
    low Float64 CODEC(Delta, ZSTD(1)),
    close Float64 CODEC(Delta, ZSTD(1)),
    volume Int64 CODEC(T64, ZSTD(1)),
    vwap Float64 CODEC(Delta, ZSTD(1)),
    ticks UInt32 CODEC(T64, ZSTD(1)),
    oi Int64 CODEC(Delta, ZSTD(1)),
    cumulative_volume Int64 CODEC(Delta, ZSTD(1)),
    source LowCardinality(String),
    revision UInt32 CODEC(ZSTD(1)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(trading_day)
ORDER BY (exchange, tradingsymbol, expiry, `interval`, opened_at, source)
SETTINGS ratio_of_defaults_for_sparse_serialization = 1;
