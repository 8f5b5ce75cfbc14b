"""Where `alphastocks explain` reads: an outcome's folder, or the journal of an `up` that stands."""
