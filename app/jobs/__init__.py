"""Run work in the background and on a schedule: one table, one lease, one dispatcher, one schedule.

At least once, fenced: a job may begin again after a crash, so every step of it can run twice without harm, and a worker
whose lease was lost can write nothing more. PostgreSQL owns the jobs; the broker carries ids and may lose them.

A kind of job is one file, `app/<app>/jobs/<kind>.py`, found by itself:

    @register
    class Sync(JobKind):
        kind = "sync"                  # the wire name; never changes
        lane = Lane.NETWORK
        steps = ("discover", "fetch")  # in their order; each is named by `context.progress`

        def run(self, context: ActiveJob) -> None:
            context.progress("discover")
            for item in …:
                context.check()                # raises when the job was cancelled or this worker stops
                with context.fenced():         # a transaction that commits only while the lease is ours
                    …
        def on_state(self, job: Job) -> None:  # copies the state to what a person looks at, in the same transaction
            …

What the other apps use, and nothing else:

    kinds       JobKind, register; every(seconds) and nightly(hour) put a kind on the schedule
    services    job_create, jobs_cancel, job_restart, job_retry; in the transaction that makes the work necessary
    schedule    schedule_set, schedule_clear: a cron expression of a row, in its time zone
    active_job  ActiveJob: lease, payload, progress, check, fenced, done
    leases      LeaseLost (raised by a kind, its subject is gone), Stopped; fenced_sql, for a write of one statement
    execution   job_see_through, for commands that wait for their job
    selectors   jobs_open, lane_depths
    models      Job, to be read
    choices     JobState, Lane, OPEN

A kind that runs for long gives `per_organisation`, so that one organisation leaves room to the others.
"""
