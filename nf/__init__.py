"""The gateway core: IKE engine, policy, transactions and data path. Imports neither netconf nor telemetry."""
