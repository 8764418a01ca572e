"""One line of advice for each failure reason: what to look at or change next."""

from typing import Final

from quarterdeck.model.failure import Reason

ADVICE: Final[dict[Reason, str]] = {
    Reason.USER_ERROR: "Fix it in a draft, run the draft, then publish.",
    Reason.CONFIG_ERROR: "Correct the setting, path or reference that it names; the code did nothing wrong.",
    Reason.DEPENDENCY_INSTALL: "Check the package: its file, version and Python tag.",
    Reason.ENGINE_START: "Read the engine's last lines; check `settings.sail` and the profile's `sail_config`.",
    Reason.ENGINE_LOST: "Run it again; if it repeats, simplify the statement or raise `runtime.stack_size`.",
    Reason.OOM_DRIVER: "Raise `driver.memory` in the compute profile, or cap the engine's `runtime.memory_pool`.",
    Reason.OOM_WORKER: "Raise `worker.memory` or `worker.max_nodes` in the compute profile.",
    Reason.EVICTED: "The node ran short: lower the request, raise `disk_gib`, or list `evicted` under `retry.on`.",
    Reason.PREEMPTED: "See who did it, use `capacity_type: on_demand`, or list `preempted` under `retry.on`.",
    Reason.NODE_LOST: "Bring the node back, then `quarterdeck retry RUN`; is its machine off: `--node-off`.",
    Reason.IMAGE_PULL: "Check `image` and `image_pull_secrets` of the cluster.",
    Reason.CREATE_CONTAINER: "Check that the Secret, ConfigMap or command exists.",
    Reason.VOLUME: "Check the volume and the cluster's `storage_class`.",
    Reason.UNSCHEDULABLE: "Ask for less in the compute profile, or add a node that fits.",
    Reason.QUOTA: "Wait for other runs to end, raise the limit, then `quarterdeck retry RUN`.",
    Reason.TIMEOUT: "Raise `spec.timeout`, or give the job less to do.",
    Reason.CANCELLED: "It was asked to stop; `quarterdeck retry RUN` starts it again.",
    Reason.DELETED_EXTERNALLY: "Find out who removed it; then `quarterdeck retry RUN`.",
    Reason.START_FENCED: "See what has its name, or took its pod too early; then `quarterdeck retry RUN`.",
    Reason.LOST: "Nothing says how it ended: check what it wrote before `quarterdeck retry RUN`.",
}
