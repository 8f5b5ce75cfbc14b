-- Which days of which candles a broker was asked for, on which day, and how many it has of them.
-- A day with fewer than expected is asked for once more on another day: then the broker has no more.
-- expiry 1970-01-01 means none.
-- ttl: history_fetched 365 DAY
CREATE TABLE IF NOT EXISTS history_fetched (
    origin LowCardinality(String),
    exchange LowCardinality(String),
    tradingsymbol LowCardinality(String),
    expiry Date DEFAULT '1970-01-01' CODEC(ZSTD(1)),
    `interval` LowCardinality(String),
    trading_day Date CODEC(ZSTD(1)),
    asked_on Date CODEC(ZSTD(1)),
    candles UInt32 CODEC(T64, ZSTD(1)),
    expected UInt32 CODEC(T64, ZSTD(1)),
    event_id UUID CODEC(ZSTD(1)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(trading_day)
ORDER BY (exchange, tradingsymbol, expiry, `interval`, trading_day, origin, asked_on);
