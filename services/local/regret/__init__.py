"""What the other strikes of each decision would have done."""
