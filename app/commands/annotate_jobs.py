"""Runs what `mien annotate` has planned: one video here, many in processes of their own or on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.app.commands.console import EXIT_INTERRUPTED
from mien.engine.errors import MienError
from mien.engine.language import tr
from mien.engine.system import printable

if TYPE_CHECKING:
    from mien.app.commands.console import Console
    from mien.engine.batch.workers import Job, Outcome, Work


def run_one(job: Job, work: Work, console: Console) -> None:
    """Annotate one video in this process.

    Raises:
        MienError: it could not be annotated.
    """
    from mien.app.commands.progress import progress_bar

    with work.annotator() as annotator:
        with nullcontext(None) if console.quiet else progress_bar(Path(job.spec).name) as progress:
            report = annotator.annotate(
                job.spec,
                job.mp4,
                overwrite=work.overwrite,
                progress=progress or (lambda info, stats: None),
                interrupted=console.interrupted_here,
            )
        console.tell(report)
    if report.stopped:
        raise click.exceptions.Exit(EXIT_INTERRUPTED)


def run_many(jobs: Sequence[Job], work: Work, console: Console, *, processes: int, cluster: str | None) -> None:
    """Annotate many videos; one that fails does not stop the rest.

    Raises:
        MienError: some could not be annotated; the others are.
    """
    from mien.app.commands.progress import overall_bar
    from mien.engine.batch.workers import BatchProgress, is_finished, run_jobs

    finished = [job for job in jobs if work.resume and is_finished(job, work)]
    left = [job for job in jobs if job not in finished]
    if finished:
        console.say(
            tr(
                "{done} of {count} videos were finished before and are left as they are",
                done=len(finished),
                count=len(jobs),
            )
        )
    with nullcontext(_nothing) if console.quiet else overall_bar(len(left)) as progress:

        def told(outcome: Outcome) -> None:
            _tell(outcome, console)

        if not left:
            outcomes = []
        elif cluster is None:
            outcomes = run_jobs(left, work, processes, told=told, progress=progress, interrupted=console.interrupted)
        else:
            from mien.engine.batch.cluster import run_on_cluster

            outcomes = run_on_cluster(
                left, work, cluster, told=told, progress=lambda done: progress(BatchProgress(done, len(left), 0.0))
            )
    if cluster is not None and not console.quiet:
        _summarise(outcomes)
    failed = sum(outcome.state == "failed" for outcome in outcomes)
    done = sum(outcome.state in {"done", "skipped"} for outcome in outcomes) + len(finished)
    console.say(tr("{done} of {count} videos annotated", done=done, count=len(jobs)))
    if any(outcome.state == "stopped" for outcome in outcomes) or len(outcomes) < len(left):
        raise click.exceptions.Exit(EXIT_INTERRUPTED)
    if failed:
        raise MienError(
            tr("{failed} of {count} videos could not be annotated; see the lines above", failed=failed, count=len(jobs))
        )


def _nothing(progress: object) -> None:
    pass


def _tell(outcome: Outcome, console: Console) -> None:
    if outcome.state == "failed":
        console.warn(outcome.message)
    elif outcome.frames:
        from mien.engine.recording.files import Outputs

        console.result(
            Outputs(outcome.job.mp4, outcome.landmarks), outcome.warnings, outcome.frames_with_face, outcome.frames,
            outcome.elapsed_s, outcome.state == "stopped",
        )  # fmt: skip


def _summarise(outcomes: Sequence[Outcome]) -> None:
    from rich.console import Console as Terminal
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for title in ("video", "result", "frames", "with a face", "seconds"):
        table.add_column(title, justify="left" if title in {"video", "result"} else "right")
    for outcome in sorted(outcomes, key=lambda outcome: outcome.job.spec):
        figures = [str(outcome.frames), str(outcome.frames_with_face), f"{outcome.elapsed_s:.1f}"]
        table.add_row(
            Text(printable(Path(outcome.job.spec).name)), outcome.state, *(figures if outcome.frames else ["", "", ""])
        )
    Terminal(stderr=True).print(table)
