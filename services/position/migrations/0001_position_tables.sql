-- One row per event of a position, each the whole state; money is rupees.
-- ttl: positions 180 DAY
CREATE TABLE IF NOT EXISTS positions (
    event_id UUID,
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    trading_day Date,
    correlation_id UUID,
    position_id UUID,
    signal_id UUID,
    type LowCardinality(String),
    strategy LowCardinality(String),
    underlying LowCardinality(String),
    exchange LowCardinality(String),
    tradingsymbol LowCardinality(String),
    expiry Date,
    mode LowCardinality(String),
    quantity Int64,
    entry_price Decimal(18, 4),
    exit_price Decimal(18, 4),
    last_price Decimal(18, 4),
    stop_loss Decimal(18, 4),
    target Decimal(18, 4),
    realised Decimal(18, 4),
    unrealised Decimal(18, 4),
    charges Decimal(18, 4),
    net Decimal(18, 4),
    reason String CODEC(ZSTD(1)),
    opened_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    closed_at Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(trading_day)
ORDER BY (trading_day, underlying, position_id, occurred_at, event_id)
SETTINGS ratio_of_defaults_for_sparse_serialization = 1;

-- How a strategy did on an underlying; profit_factor is nan without a loss.
-- ttl: performance_metrics 90 DAY
CREATE TABLE IF NOT EXISTS performance_metrics (
    event_id UUID,
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    trading_day Date,
    strategy LowCardinality(String),
    underlying LowCardinality(String),
    trades UInt32,
    wins UInt32,
    win_rate Float64,
    average Decimal(18, 4),
    profit_factor Float64,
    drawdown Decimal(18, 4),
    net Decimal(18, 4),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(trading_day)
ORDER BY (trading_day, strategy, underlying, occurred_at, event_id)
SETTINGS ratio_of_defaults_for_sparse_serialization = 1;
