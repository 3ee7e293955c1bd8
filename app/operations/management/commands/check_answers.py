from typing import Any

from django.core.management.base import BaseCommand, CommandError

from app.operations.self_check import engines_silent, pages_broken, question_problem


class Command(BaseCommand):
    help = "Whether this box does its work: engines, pages, and a question answered with a citation. It must run."

    def handle(self, *args: Any, **options: Any) -> None:
        problems = [f"{name} does not answer" for name in engines_silent()]
        problems += pages_broken()
        # Without engines a question would fail for the same reason.
        if not problems and (problem := question_problem()):
            problems.append(problem)
        if problems:
            raise CommandError("\n".join(problems))
        self.stdout.write("Engines answer, pages are served, a question about the documents is answered.")
