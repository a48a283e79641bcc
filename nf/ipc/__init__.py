"""The control channel between the gateway's processes: messages, their frames, and the asyncio channel that carries
them. Internal."""
