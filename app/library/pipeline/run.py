"""Make one version searchable: all steps in order, from the one that the last worker reached."""

from app.jobs.active_job import ActiveJob
from app.library.choices import Step
from app.library.pipeline.context import context_load
from app.library.pipeline.steps import STEPS
from app.llm.models_kept import models_kept
from app.retrieval.index_loader import index_writer

# Steps that begin with the stored passages and no longer need the file.
_KEPT = (Step.EMBED, Step.INDEX)


def version_ingest(job: ActiveJob) -> None:
    """Do all steps; at their end the version is active.

    Raises:
        LeaseLost, Stopped: another worker goes on with the job, or nobody does.
        RefdeskError: the file cannot be read, or a server is unavailable.
    """
    models = models_kept()
    context = context_load(job, models, index_writer(models.in_use.space))
    # Passages stay as they are when the operator changes the model (docs/decisions/0010); a model that was exchanged
    # in the settings, without a word to the box, has them cut anew.
    ours = context.row.embedding_model == context.space.model or models.choice.in_use is not None
    resumed = job.lease.step in _KEPT and context.row.chunks > 0 and ours
    try:
        with context.files:
            for step, do in STEPS:
                if resumed and step not in _KEPT:
                    continue
                context.check()
                job.progress(step)
                context.timeline.begin(step)
                do(context)
                if job.ended:
                    # Done, or moved to another kind of job.
                    return
    except Exception as error:
        context.timeline.record(error)
        raise
