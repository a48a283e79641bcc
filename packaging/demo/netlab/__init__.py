"""Network namespaces with real peers in them: shared by the demonstration, the interoperability tests and the bench.

`net` makes and removes namespaces, `strongswan` and `vici` run and ask charon, `wsgd` runs the gateway, `netconf`
configures it through ncclient, `scenario` says what both ends are to be, `traffic` is ping and iperf3, `topology` is
the network that all of them use. Everything needs root.
"""
