"""The reconciler's clock: at the start and every ten minutes, in a thread of its own."""

from app.lib.periodic_thread import Rounds
from app.library.reconcile.reconciler import reconcile

RECONCILE_S = 600.0


class Reconciling(Rounds):
    """Stopped in the middle it loses nothing: every repair is one transaction."""

    name = "reconciler"
    pause_s = RECONCILE_S

    def round(self) -> None:
        reconcile(repair=True)
