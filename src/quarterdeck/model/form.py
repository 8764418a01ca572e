"""The form of each kind: its fields in the order in which they are asked, each with a label and one line of help.

What a field may hold: the module of its kind. This table also gives problems their order. Which fields a variant
has, how each is written in one line, and what it is chosen from, is here for whoever asks for them one by one.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from quarterdeck.model.limits import DESCRIPTION_LENGTH, NAME_LENGTH, QUERY_LENGTH

SOURCE_GUIDE: Final = {
    "saved_query": "shared by several jobs, or queried elsewhere: SQL saved in the workspace under an id",
    "snapshot": "belongs to this one job: SQL kept with it, versioned as the job is",
    "wheel": "reusable, in a registry: a function of a Python package",
    "py_file": "one script: a Python file, kept with the job or read from where it lies",
}
"""When each kind of source fits, in one line."""


class Field(NamedTuple):
    """A field of a form: its path in the file, what it is called, and one line of help."""

    path: str
    label: str
    help: str


def _form(*rows: tuple[str, str, str]) -> tuple[Field, ...]:
    return tuple(Field(*row) for row in rows)


FORM: Final[dict[str, tuple[Field, ...]]] = {
    "job": _form(
        ("name", "Name", "what the job is called in the workspace"),
        ("team", "Team", "the team that owns it: `quarterdeck team list`"),
        ("shared_teams", "Shared teams", "teams that may trigger and view it"),
        ("description", "Description", "what it is for, in a sentence"),
        ("type", "Type", "sql or python; left out, the source's kind says it"),
        ("schedule", "Schedule", "when it runs by itself; left out: by hand only"),
        ("schedule.cron", "Cron", "five fields, as in 0 6 * * *"),
        ("schedule.timezone", "Time zone", "the zone of the cron rule: Europe/Berlin"),
        (
            "schedule.concurrency",
            "Concurrency",
            "a tick while a run is active: skip, replace or allow=N",
        ),
        ("schedule.missed", "Missed ticks", "ticks while no scheduler ran: skip, latest or all=N"),
        ("spec", "Spec", "what a version freezes: source, profile, cluster and so on"),
        (
            "spec.source",
            "Source",
            "what it executes: kind saved_query, snapshot, wheel or py_file",
        ),
        ("spec.source.kind", "Kind of source", "one of saved_query, snapshot, wheel, py_file"),
        ("spec.source.query_id", "Saved query", "its id: `quarterdeck query list`"),
        ("spec.source.package", "Package", "the name of the Python package"),
        ("spec.source.version", "Version", "the package's version; left out: what the wheel is"),
        ("spec.source.entry_point", "Entry point", "module:function, as in sales.main:run"),
        ("spec.source.wheel_uri", "Wheel", "a path or s3:// address that ends in .whl"),
        ("spec.source.text", "Text", "the statements or the script itself"),
        ("spec.source.uri", "File", "a path or s3:// address that ends in .py"),
        ("spec.source.args", "Arguments", "a list of texts handed to the code"),
        ("spec.source.origin", "Origin", "where the text was taken from, to see it drift"),
        (
            "spec.source.origin.repo",
            "Repository",
            "the address of the repository, without a password",
        ),
        ("spec.source.origin.path", "Path", "the file, from the repository's root"),
        ("spec.source.origin.ref", "Ref", "branch, tag or commit"),
        ("spec.source.origin.sha256", "SHA-256", "of the file's content, 64 hex digits"),
        (
            "spec.profile",
            "Profile",
            "the compute profile it runs with: `quarterdeck profile list`",
        ),
        ("spec.cluster", "Cluster", "where it runs: `quarterdeck cluster list`"),
        ("spec.catalogs", "Catalogs", "where its tables are; the first is the default"),
        ("spec.parameters", "Parameters", "name and default of each :name in the SQL"),
        ("spec.settings", "Settings", "env and sail, laid over the profile's"),
        ("spec.settings.env", "Environment", "name and value; secrets as secret://name/key"),
        ("spec.settings.sail", "Engine options", "option and value"),
        ("spec.timeout", "Timeout", "when a run is ended, counted from its start: 30m"),
        ("spec.limits", "Limits", "ceilings of this job below the workspace's"),
        ("spec.limits.max_workers", "Most workers", "a whole number"),
        ("spec.limits.max_driver_memory", "Most driver memory", "a size: 4Gi"),
        ("spec.limits.max_concurrent_runs", "Most runs at once", "a whole number"),
        ("spec.retry", "Retry", "attempts, backoff, and the failure reasons worth it"),
        ("spec.retry.attempts", "Attempts", "how often at most; 1: no retry"),
        ("spec.retry.backoff", "Backoff", "the wait before the second attempt, then doubled: 30s"),
        ("spec.retry.on", "Retry on", "failure reasons, such as preempted, node_lost"),
    ),
    "profile": _form(
        ("name", "Name", "what the profile is called in the workspace"),
        ("team", "Team", "the team that owns it: `quarterdeck team list`"),
        ("mode", "Mode", "standalone (one node) or cluster (driver and workers)"),
        (
            "driver",
            "Driver",
            "the node of the driver: disk_gib, and instance_type, cpu, memory if wanted",
        ),
        ("driver.instance_type", "Instance type", "left out: any compute node that fits"),
        ("driver.disk_gib", "Disk", "in GiB, a whole number: 20"),
        ("driver.cpu", "CPU", "2, 0.5 or 500m"),
        ("driver.memory", "Memory", "a size: 4Gi"),
        (
            "worker",
            "Worker",
            "mode cluster needs instance_type, disk_gib, max_nodes and capacity_type",
        ),
        ("worker.instance_type", "Instance type", "as the cloud writes it: m7i.xlarge"),
        ("worker.disk_gib", "Disk", "in GiB, a whole number: 50"),
        ("worker.max_nodes", "Most nodes", "a whole number: 4"),
        ("worker.capacity_type", "Capacity", "on_demand or spot"),
        ("worker.cpu", "CPU", "2, 0.5 or 500m"),
        ("worker.memory", "Memory", "a size: 4Gi"),
        ("libraries", "Libraries", "requirements and addresses of wheels"),
        ("sail_config", "Engine options", "option and value"),
        ("env", "Environment", "name and value; secrets as secret://name/key"),
    ),
    "query": _form(
        ("id", "Id", "a-z, 0-9 and -; left out: made from the name"),
        ("name", "Name", "what the query is called"),
        ("team", "Team", "the team that owns it: `quarterdeck team list`"),
        ("text", "Text", "the SQL"),
    ),
    "cluster": _form(
        ("name", "Name", "what the cluster is called in the workspace"),
        ("kind", "Kind", "local (this machine) or kubernetes"),
        ("kubeconfig", "Kubeconfig", "left out: the usual places"),
        ("context", "Context", "the context in the kubeconfig"),
        ("namespace", "Namespace", "for teams that name none of their own"),
        ("service_account", "Service account", "for teams that name none of their own"),
        ("image", "Image", "the runner's image"),
        ("image_pull_secrets", "Pull secrets", "names of Kubernetes Secrets"),
        ("node_selector", "Node selector", "labels of the compute nodes"),
        ("tolerations", "Tolerations", "as Kubernetes writes them"),
        ("storage_class", "Storage class", "of the volumes of runs"),
        ("log_storage", "Log storage", "where logs are kept"),
        ("pod_template", "Pod template", "a patch laid over each pod"),
    ),
    "catalog": _form(
        ("name", "Name", "what the catalog is called in SQL"),
        ("kind", "Kind", "memory, iceberg-rest, unity, onelake, glue or hms"),
        ("initial_database", "Database", "the database that is there at the start"),
        ("uri", "Address", "https://catalog.example/"),
        ("url", "Item", "workspace and item: workspace/item.lakehouse"),
        ("uris", "Addresses", "a list: thrift://host:9083"),
        ("warehouse", "Warehouse", "the warehouse's name"),
        ("prefix", "Prefix", "of the REST paths"),
        ("namespace_separator", "Separator", "between the parts of a namespace"),
        ("default_catalog", "Default catalog", "the one inside Unity"),
        ("api", "API", "delta or iceberg"),
        ("region", "Region", "of AWS: eu-central-1"),
        ("catalog_id", "Catalog id", "an AWS account"),
        ("endpoint_url", "Endpoint", "https://glue.example/"),
        ("auth", "Authentication", "none or kerberos"),
        ("token", "Token", "a reference: secret://name/key"),
    ),
    "team": _form(
        ("name", "Name", "what the team is called in the workspace"),
        ("members", "Members", "operating-system user names"),
        ("clusters", "Clusters", "namespace and service_account on each cluster"),
    ),
    "workspace": _form(
        ("name", "Name", "what the workspace is called"),
        ("org_admins", "Org admins", "user names that may do everything"),
        ("ceilings", "Ceilings", "what no job may exceed"),
        ("ceilings.timeout", "Longest timeout", "a duration: 24h"),
        ("ceilings.max_workers", "Most workers", "a whole number"),
        ("ceilings.max_driver_memory", "Most driver memory", "a size: 64Gi"),
        ("ceilings.max_concurrent_runs", "Most runs at once", "a whole number"),
        ("queue_deadline", "Queue deadline", "how long a run may wait for a place: 6h"),
        ("start_deadline", "Start deadline", "how long a start may take: 10m"),
        ("evidence_kept", "Evidence kept", "what is left on the cluster of ended runs: 7d"),
        ("kept", "Kept", "what was deleted can be brought back for: 30d"),
        ("file_roots", "Folders", "where files may lie that jobs name; empty: anywhere"),
    ),
}

SHAPES: Final[dict[str, dict[str, str]]] = {
    "job": {
        "shared_teams": "list", "spec.source.text": "block", "spec.source.args": "list",
        "spec.catalogs": "list", "spec.parameters": "values", "spec.settings.env": "texts",
        "spec.settings.sail": "values", "spec.limits.max_workers": "whole",
        "spec.limits.max_concurrent_runs": "whole", "spec.retry.attempts": "whole", "spec.retry.on": "list",
    },
    "profile": {
        "driver.disk_gib": "whole", "worker.disk_gib": "whole", "worker.max_nodes": "whole",
        "libraries": "list", "sail_config": "values", "env": "texts",
    },
    "query": {"text": "block"},
    "cluster": {
        "image_pull_secrets": "list", "node_selector": "texts", "tolerations": "json", "pod_template": "json",
    },
    "catalog": {"initial_database": "list", "uris": "list"},
    "team": {"members": "list", "clusters": "values"},
    "workspace": {
        "org_admins": "list", "ceilings.max_workers": "whole", "ceilings.max_concurrent_runs": "whole",
        "file_roots": "list",
    },
}  # fmt: skip
"""How a field is written where it is not one line of text: list, whole (a number), block (several lines), texts
(names and texts), values (names and JSON values), json."""

NAMED: Final[dict[str, dict[str, str]]] = {
    "job": {
        "team": "team", "shared_teams": "team", "spec.source.query_id": "query", "spec.profile": "profile",
        "spec.cluster": "cluster", "spec.catalogs": "catalog",
    },
    "profile": {"team": "team"},
    "query": {"team": "team"},
}  # fmt: skip
"""Fields that name something of another kind."""

CHOICES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "job": {"type": ("sql", "python"), "spec.source.kind": tuple(SOURCE_GUIDE)},
    "profile": {
        "mode": ("standalone", "cluster"), "worker.capacity_type": ("on_demand", "spot"),
    },
    "cluster": {"kind": ("local", "kubernetes")},
    "catalog": {
        "kind": ("memory", "iceberg-rest", "unity", "onelake", "glue", "hms"),
        "api": ("delta", "iceberg"), "auth": ("none", "kerberos"),
    },
}  # fmt: skip
"""Fields that take one of a few words."""

_WORKER: Final = ("instance_type", "disk_gib", "max_nodes", "capacity_type", "cpu", "memory")
VARIANTS: Final[dict[str, tuple[str, Mapping[str, tuple[str, ...]]]]] = {
    "job": ("spec.source.kind", {
        "saved_query": ("spec.source.query_id",),
        "snapshot": ("spec.source.text", *(f"spec.source.origin.{p}" for p in ("repo", "path", "ref", "sha256"))),
        "wheel": tuple(f"spec.source.{p}" for p in ("package", "version", "entry_point", "wheel_uri", "args")),
        "py_file": ("spec.source.text", "spec.source.uri", "spec.source.args"),
    }),
    "profile": ("mode", {"standalone": (), "cluster": tuple(f"worker.{p}" for p in _WORKER)}),
    "cluster": ("kind", {
        "local": (),
        "kubernetes": (
            "kubeconfig", "context", "namespace", "service_account", "image", "image_pull_secrets",
            "node_selector", "tolerations", "storage_class", "log_storage", "pod_template",
        ),
    }),
    "catalog": ("kind", {
        "memory": ("initial_database",),
        "iceberg-rest": ("uri", "warehouse", "prefix", "namespace_separator", "token"),
        "unity": ("uri", "default_catalog", "token"),
        "onelake": ("url", "api", "token"),
        "glue": ("region", "catalog_id", "endpoint_url"),
        "hms": ("uris", "auth"),
    }),
}  # fmt: skip
"""The field that decides which others there are, and those of each of its words; the rest are always there."""

DEFAULTS: Final[dict[str, dict[str, str]]] = {
    "job": {"spec.timeout": "1h", "spec.retry.attempts": "1", "spec.retry.backoff": "30s"},
    "catalog": {"initial_database": "default", "auth": "none"},
}
"""What holds where a field is left out, as it would be written."""

LENGTHS: Final = {
    "name": NAME_LENGTH, "description": DESCRIPTION_LENGTH, "text": QUERY_LENGTH,
}  # fmt: skip
"""The most characters of a field; `text` is a query's."""


def help_of(kind: str, path: str) -> str:
    """Return the line of help of a path; empty for what is in no form (an item of a list)."""
    return next((field.help for field in FORM[kind] if field.path == path), "")


def place_of(kind: str, path: str) -> float:
    """Return where a path stands in the form; what is inside a field stands at its place or behind it."""
    bare = path.partition("[")[0]
    form = [field.path for field in FORM[kind]]
    while bare:
        if bare in form:
            inside = [n for n, known in enumerate(form) if known.startswith(f"{bare}.")]
            # A field itself, or an unknown key within it: behind the known ones.
            return inside[-1] + 0.5 if inside and bare != path else form.index(bare)
        bare = bare.rpartition(".")[0]
    return len(form)
