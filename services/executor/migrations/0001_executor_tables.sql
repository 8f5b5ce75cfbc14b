-- Why the executor did, or did not, trade a signal; numbers and candidates are JSON.
-- ttl: decisions 180 DAY
CREATE TABLE IF NOT EXISTS decisions (
    event_id UUID,
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    trading_day Date,
    correlation_id UUID,
    signal_id UUID,
    underlying LowCardinality(String),
    outcome LowCardinality(String),
    reason String CODEC(ZSTD(1)),
    tradingsymbol String,
    lots UInt32,
    quantity UInt32,
    premium Float64,
    numbers String CODEC(ZSTD(1)),
    candidates String CODEC(ZSTD(1)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(trading_day)
ORDER BY (trading_day, underlying, signal_id, event_id)
SETTINGS ratio_of_defaults_for_sparse_serialization = 1;

-- One row per step of an order's life; kept.
CREATE TABLE IF NOT EXISTS orders (
    event_id UUID,
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    trading_day Date,
    correlation_id UUID,
    order_id UUID,
    tag String,
    signal_id UUID,
    position_id UUID,
    type LowCardinality(String),
    leg LowCardinality(String),
    mode LowCardinality(String),
    exchange LowCardinality(String),
    tradingsymbol LowCardinality(String),
    transaction_type LowCardinality(String),
    quantity Int64,
    price Decimal(18, 4),
    filled_quantity Int64,
    average_price Decimal(18, 4),
    fill_id String,
    broker_order_id String,
    reason String CODEC(ZSTD(1)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(trading_day)
ORDER BY (trading_day, position_id, order_id, occurred_at, event_id)
SETTINGS ratio_of_defaults_for_sparse_serialization = 1;

-- Option chains with implied volatility and greeks; kept, since the quotes of expired contracts
-- cannot be fetched again. A greek that could not be solved is nan.
CREATE TABLE IF NOT EXISTS options_data (
    event_id UUID CODEC(ZSTD(1)),
    occurred_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    trading_day Date CODEC(ZSTD(1)),
    underlying LowCardinality(String),
    expiry Date CODEC(ZSTD(1)),
    instrument_token UInt32 CODEC(ZSTD(1)),
    tradingsymbol LowCardinality(String),
    strike Float64 CODEC(ZSTD(1)),
    instrument_type LowCardinality(String),
    spot Float64 CODEC(Delta, ZSTD(1)),
    forward Float64 CODEC(Delta, ZSTD(1)),
    last_price Float64 CODEC(Delta, ZSTD(1)),
    bid_price Float64 CODEC(Delta, ZSTD(1)),
    ask_price Float64 CODEC(Delta, ZSTD(1)),
    bid_quantity Int64 CODEC(T64, ZSTD(1)),
    ask_quantity Int64 CODEC(T64, ZSTD(1)),
    volume Int64 CODEC(Delta, ZSTD(1)),
    oi Int64 CODEC(Delta, ZSTD(1)),
    implied_volatility Float64 CODEC(ZSTD(1)),
    delta Float64 CODEC(ZSTD(1)),
    gamma Float64 CODEC(ZSTD(1)),
    theta Float64 CODEC(ZSTD(1)),
    vega Float64 CODEC(ZSTD(1)),
    rho Float64 CODEC(ZSTD(1)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(trading_day)
ORDER BY (underlying, expiry, strike, instrument_type, occurred_at, event_id)
SETTINGS ratio_of_defaults_for_sparse_serialization = 1;
