-- What strategies would do; expected_move is in percent, confidence 0 to 1.
-- ttl: strategy_signals 90 DAY
CREATE TABLE IF NOT EXISTS strategy_signals (
    event_id UUID,
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    trading_day Date,
    correlation_id UUID,
    strategy LowCardinality(String),
    strategy_version LowCardinality(String),
    exchange LowCardinality(String),
    tradingsymbol LowCardinality(String),
    underlying LowCardinality(String),
    `interval` LowCardinality(String),
    candle_opened_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    action LowCardinality(String),
    price Float64,
    stop_loss Float64,
    target Float64,
    confidence Float64,
    expected_move Float64,
    indicators Map(String, Float64) CODEC(ZSTD(1)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(trading_day)
ORDER BY (trading_day, underlying, strategy, occurred_at, event_id)
SETTINGS ratio_of_defaults_for_sparse_serialization = 1;
