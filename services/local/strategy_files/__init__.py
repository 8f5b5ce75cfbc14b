"""Files of strategies: a template for a new one, and a trial of one."""
