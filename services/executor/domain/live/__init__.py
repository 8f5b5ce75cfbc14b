"""Live trading: what may happen under which circumstances, and who has armed it until when."""
