"""Make one version searchable: all steps in order, from the one that the last worker reached."""

from app.jobs.active_job import ActiveJob
from app.library.choices import Step
from app.library.pipeline.context import context_load
from app.library.pipeline.steps import STEPS
from app.llm.embeddings import embeddings_client
from app.retrieval.index_loader import index_writer

# Steps that begin with the stored passages and no longer need the file.
_KEPT = (Step.EMBED, Step.INDEX)


def version_ingest(job: ActiveJob) -> None:
    """Do all steps; at their end the version is active.

    Raises:
        LeaseLost, Stopped: another worker goes on with the job, or nobody does.
        RefdeskError: the file cannot be read, or a server is unavailable.
    """
    space = embeddings_client().space()
    context = context_load(job, space, index_writer(space))
    resumed = job.lease.step in _KEPT and context.row.chunks > 0 and context.row.embedding_model == space.model
    try:
        with context.files:
            for step, do in STEPS:
                if resumed and step not in _KEPT:
                    continue
                context.check()
                job.progress(step)
                context.timeline.begin(step)
                do(context)
    except Exception as error:
        context.timeline.record(error)
        raise
