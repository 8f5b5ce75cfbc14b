"""A Kite Connect v3 exchange on localhost, fed by a seeded synthetic market."""
