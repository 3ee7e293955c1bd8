"""Run work in the background and on a schedule: one table, one lease, one dispatcher, one schedule.

At least once, fenced: a job may begin again after a crash, so every step of it must be repeatable without harm, and a
worker that has lost its lease cannot write any more. PostgreSQL has the jobs; the broker carries ids and may lose them.

A kind of job is one file, `app/<app>/jobs/<kind>.py`, found automatically:

    @register
    class Sync(JobKind):
        kind = "sync"                         # the wire name; never changes
        lane = Lane.NETWORK
        steps = {"discover": 0, "fetch": 20}  # name: first per cent; `context.progress` takes a name

        def run(self, context: ActiveJob) -> None:
            context.progress("discover")
            for item in …:
                context.check()               # raises when the job was cancelled or this worker stops
                with context.fenced():        # a transaction that commits only while the lease is ours
                    …
        def on_state(self, job: Job) -> None: # copies the state to rows that people see, in the same transaction
            …

The interface for other apps:

    kinds       JobKind, register; every(seconds) and nightly(hour) put a kind on the schedule
    services    job_create, jobs_cancel, job_restart, job_retry; in the transaction that requires the job
    schedule    schedule_set, schedule_clear: a cron expression of a row, in its time zone
    active_job  ActiveJob: lease, payload, progress, check, fenced, done
    leases      LeaseLost (raised by a kind when its subject is gone), Stopped; fenced_sql, a one-statement write
    execution   job_see_through, for commands that wait for their job
    selectors   jobs_open, lane_depths
    models      Job, read-only
    choices     JobState, Lane, OPEN

A long-running kind sets `per_organisation`, so that one organisation does not take all threads.
"""
