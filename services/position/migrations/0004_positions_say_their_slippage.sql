-- What fills cost against the prices that were decided on, rupees; NULL where these are not known.
ALTER TABLE positions
    ADD COLUMN IF NOT EXISTS entry_slippage Nullable(Decimal(18, 4)),
    ADD COLUMN IF NOT EXISTS exit_slippage Nullable(Decimal(18, 4));
