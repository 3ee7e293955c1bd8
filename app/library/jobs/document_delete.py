from app.jobs.active_job import ActiveJob
from app.jobs.choices import Lane
from app.jobs.kinds import JobKind, register
from app.library.pipeline.deletion import object_delete_unnamed, versions_points_delete
from app.library.services.jobs import DELETE


@register
class DocumentDelete(JobKind):
    """A job that removes the points of versions, then objects that no row names. Payload: `versions`, `objects`."""

    kind = DELETE
    title = "Remove a deleted document"
    lane = Lane.CPU
    at_once = 4
    steps = {"vectors": 0, "files": 50}
    # The rows are gone, so their vectors and files have to go too.
    may_cancel = False

    def run(self, context: ActiveJob) -> None:
        context.progress("vectors")
        versions = context.payload.get("versions", ())
        if versions:
            versions_points_delete(organisation=context.organisation, versions=versions)
        context.progress("files")
        for key in context.payload.get("objects", ()):
            object_delete_unnamed(key=key)
