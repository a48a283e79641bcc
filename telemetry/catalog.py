"""Every metric family, in one table. `docs/metrics.md` is made from it (`python -m telemetry.document`).

Names: `ipsec_` for what the gateway does for its peers, `openwsg_` for the gateway itself. A bulk statistic of StarOS
keeps its name in the help. Labels are closed sets or bounded by configuration; there is none for a peer or an SA.
"""

from __future__ import annotations

from telemetry.engine import ENGINE_FAMILIES
from telemetry.families import Family, Kind, Label
from telemetry.inputs import COMMIT_BUCKETS_S

CONTEXT = Label("context")
SERVICE = Label("service")
POOL = Label("pool")
WORKER = Label("worker")
VERSION = Label("version")
DIRECTION = Label("direction", ("inbound", "outbound"))
ESP_DROP_REASONS = (
    # Those of the software data path, `Reason` in its pipeline crate. Keepalives and dummies are dropped as meant.
    *(
        "unknown-spi",
        "malformed",
        "replay",
        "integrity",
        "selector-mismatch",
        "no-policy",
        "expired",
        "sequence-exhausted",
    ),
    *("too-big", "no-route", "send-failed", "unsupported", "dummy", "keepalive", "ike-overflow"),
    *("ce-on-not-ect", "panicked", "other"),
)
OUTCOMES = (
    # "ok" or the error-tag of the reply (RFC 6241 appendix A)
    *(
        "ok",
        "in-use",
        "invalid-value",
        "too-big",
        "missing-attribute",
        "bad-attribute",
        "unknown-attribute",
        "missing-element",
        "bad-element",
    ),
    *(
        "unknown-element",
        "unknown-namespace",
        "access-denied",
        "lock-denied",
        "resource-denied",
        "rollback-failed",
        "data-exists",
    ),
    *("data-missing", "operation-not-supported", "operation-failed", "partial-operation", "malformed-message", "other"),
)
OPERATIONS = (
    *(
        "get",
        "get-config",
        "edit-config",
        "copy-config",
        "delete-config",
        "lock",
        "unlock",
        "commit",
        "cancel-commit",
        "validate",
    ),
    *("discard-changes", "close-session", "kill-session", "get-schema", "get-data", "edit-data", "create-subscription"),
    *("clear-security-association", "unknown", "other"),
)

IKE_SAS = Family(
    "ipsec_ike_sas",
    Kind.GAUGE,
    "IKE SAs now, by state.",
    labels=(Label("state", ("half-open", "established", "other")),),
)
CHILD_SAS = Family("ipsec_child_sas", Kind.GAUGE, "Child SAs now.")
SERVICE_STARTED = Family(
    "ipsec_service_started",
    Kind.GAUGE,
    "1 where a WSG service is bound and takes peers, else 0.",
    labels=(CONTEXT, SERVICE),
)
SERVICE_SESSIONS = Family(
    "ipsec_service_sessions", Kind.GAUGE, "IKE SAs of a WSG service now.", labels=(CONTEXT, SERVICE)
)
POOL_SIZE = Family("ipsec_pool_addresses", Kind.GAUGE, "Inner addresses of a pool.", labels=(CONTEXT, POOL))
POOL_USED = Family(
    "ipsec_pool_used_addresses", Kind.GAUGE, "Inner addresses of a pool that are assigned now.", labels=(CONTEXT, POOL)
)

ESP_PACKETS = Family(
    "ipsec_esp_packets",
    Kind.COUNTER,
    "Packets carried in ESP: opened (inbound) or sealed (outbound).",
    labels=(DIRECTION,),
)
ESP_BYTES = Family(
    "ipsec_esp_bytes", Kind.COUNTER, "Octets of the inner packets carried in ESP.", labels=(DIRECTION,), unit="bytes"
)
ESP_DROPS = Family(
    "ipsec_esp_dropped_packets",
    Kind.COUNTER,
    "Packets that the data path dropped, by direction and reason.",
    labels=(DIRECTION, Label("reason", ESP_DROP_REASONS)),
)
DATAPATH_SAS = Family("ipsec_datapath_sas", Kind.GAUGE, "ESP SAs that the data path holds now; a Child SA is two.")

WORKER_UP = Family("openwsg_worker_up", Kind.GAUGE, "1 while a child process runs, else 0.", labels=(WORKER,))
WORKER_RESTARTS = Family(
    "openwsg_worker_restarts",
    Kind.COUNTER,
    "Times that a child process was started again after it died.",
    labels=(WORKER,),
)
WORKER_CPU = Family(
    "openwsg_worker_cpu_seconds", Kind.COUNTER, "CPU time of a child process.", labels=(WORKER,), unit="seconds"
)
WORKER_MEMORY = Family(
    "openwsg_worker_resident_memory_bytes",
    Kind.GAUGE,
    "Resident memory of a child process.",
    labels=(WORKER,),
    unit="bytes",
)
WORKER_UPTIME = Family(
    "openwsg_worker_uptime_seconds", Kind.GAUGE, "Age of a child process.", labels=(WORKER,), unit="seconds"
)

BUILD = Family("openwsg_build", Kind.INFO, "The version that runs.", labels=(VERSION,))
UPTIME = Family("openwsg_uptime_seconds", Kind.GAUGE, "Time since the gateway started.", unit="seconds")
REVISION = Family(
    "openwsg_configuration_revision", Kind.GAUGE, "Revision of the running configuration; each commit adds one."
)
READY = Family("openwsg_ready", Kind.GAUGE, "1 while /readyz says ready, else 0.")

NETCONF_SESSIONS = Family("openwsg_netconf_sessions", Kind.GAUGE, "NETCONF sessions now.")
NETCONF_OPENED = Family("openwsg_netconf_sessions_opened", Kind.COUNTER, "NETCONF sessions since the start.")
NETCONF_REFUSED = Family(
    "openwsg_netconf_sessions_refused", Kind.COUNTER, "NETCONF sessions refused at the limit of sessions."
)
NETCONF_DROPPED = Family(
    "openwsg_netconf_sessions_dropped",
    Kind.COUNTER,
    "NETCONF sessions ended by a framing error, a bad hello, a limit or kill-session.",
)
NETCONF_LOGIN_FAILURES = Family(
    "openwsg_netconf_login_failures", Kind.COUNTER, "SSH log-ins of NETCONF clients that failed."
)
NETCONF_BAD_RPCS = Family(
    "openwsg_netconf_bad_rpcs",
    Kind.COUNTER,
    "Messages where an rpc was due that were not a correct rpc (RFC 6022 in-bad-rpcs).",
)
NETCONF_OPERATIONS = Family(
    "openwsg_netconf_operations",
    Kind.COUNTER,
    "NETCONF operations answered, by name and outcome: ok or the error-tag.",
    labels=(Label("operation", OPERATIONS), Label("outcome", OUTCOMES)),
)
COMMIT_DURATION = Family(
    "openwsg_commit_duration_seconds",
    Kind.HISTOGRAM,
    "Time of a successful commit, until it is durable and in force.",
    unit="seconds",
    buckets=COMMIT_BUCKETS_S,
)

CATALOG: tuple[Family, ...] = (
    *(IKE_SAS, CHILD_SAS, *ENGINE_FAMILIES.values()),
    *(SERVICE_STARTED, SERVICE_SESSIONS, POOL_SIZE, POOL_USED),
    *(ESP_PACKETS, ESP_BYTES, ESP_DROPS, DATAPATH_SAS),
    *(WORKER_UP, WORKER_RESTARTS, WORKER_CPU, WORKER_MEMORY, WORKER_UPTIME),
    *(NETCONF_SESSIONS, NETCONF_OPENED, NETCONF_REFUSED, NETCONF_DROPPED, NETCONF_LOGIN_FAILURES, NETCONF_BAD_RPCS),
    *(NETCONF_OPERATIONS, COMMIT_DURATION),
    *(BUILD, UPTIME, REVISION, READY),
)
"""Every family, in the order of an exposition."""
