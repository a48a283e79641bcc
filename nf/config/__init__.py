"""The gateway's configuration as values, what differs between two of them, and the transaction that applies one."""
