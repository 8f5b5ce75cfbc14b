-- One row per state that a signal reached; levels are nan where an update carries none.
-- details is the JSON of the numbers behind the step.
-- ttl: trading_signals 90 DAY
CREATE TABLE IF NOT EXISTS trading_signals (
    event_id UUID,
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    trading_day Date,
    correlation_id UUID,
    signal_id UUID,
    strategy LowCardinality(String),
    underlying LowCardinality(String),
    tradingsymbol LowCardinality(String),
    action LowCardinality(String),
    state LowCardinality(String),
    reason String CODEC(ZSTD(1)),
    details String CODEC(ZSTD(1)),
    price Float64,
    stop_loss Float64,
    target Float64,
    confidence Float64,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(trading_day)
ORDER BY (trading_day, underlying, signal_id, event_id)
SETTINGS ratio_of_defaults_for_sparse_serialization = 1;
