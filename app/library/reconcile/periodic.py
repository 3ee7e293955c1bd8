"""The reconciler's clock: at the start and every ten minutes, in a thread of its own."""

from app.lib.periodic_thread import PeriodicThread
from app.library.reconcile.reconciler import reconcile

RECONCILE_S = 600.0


class Reconciling(PeriodicThread):
    """Stopped in the middle it loses nothing: every repair is one transaction."""

    name = "reconciler"
    pause_s = RECONCILE_S

    def run_once(self) -> None:
        reconcile(repair=True)
