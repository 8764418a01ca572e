"""Fill the demo's workspace through the public use cases. Making its folder: `folder`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.demo.samples import VERSIONED, VERSIONS, beside, samples, spec, version_source
from quarterdeck.service import setup
from quarterdeck.service.context import WORKSPACE_ID

if TYPE_CHECKING:
    from quarterdeck.demo.folder import DemoFolder
    from quarterdeck.service.bundle import Services


def fill(services: Services, folder: DemoFolder) -> None:
    """Make workspace and jobs; one that was cut off is gone on with, one that is whole is left as it is."""
    if folder.is_ready:
        return
    if services.ports.store.workspace.find(WORKSPACE_ID) is None:
        setup.init(services.context, "demo")
    if not services.lists.jobs():
        services.jobs.create([*beside(folder), *(one.document for one in samples(folder))])
    _make_versions(services, folder)
    folder.set_ready()


def _make_versions(services: Services, folder: DemoFolder) -> None:
    """Publish what is missing of the versions, and leave the last as the draft."""
    job = services.jobs.show(VERSIONED)
    last = len(VERSIONS) - 1
    for place in range(job["live_version"], last + 1):
        services.jobs.edit(VERSIONED, {"spec": spec(version_source(folder, place))})
        if place < last:
            services.publishing.publish(VERSIONED, note=VERSIONS[place][0])
