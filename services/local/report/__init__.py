"""What was earned and what it cost: `alphastocks report` on the terminal, as a page and as CSV."""
