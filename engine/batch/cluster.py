"""Ray clusters, and many videos on one. The only file that imports ray, an extra that few need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from mien.engine.batch.workers import Job, Outcome, Work, run_job
from mien.engine.errors import SettingsError
from mien.engine.language import tr
from mien.engine.sources.address import DEMO
from mien.engine.system import is_installed_program, silence_telemetry

_CPUS: Final = 2.0  # what one video keeps busy
_RETRIES: Final = 3  # of a video whose worker or machine died
_POLL_S: Final = 0.5


def run_on_cluster(
    jobs: Sequence[Job],
    work: Work,
    address: str,
    *,
    told: Callable[[Outcome], None],
    progress: Callable[[float], None] = lambda done: None,
) -> list[Outcome]:
    """Annotate `jobs` on the machines of a Ray cluster, each of which sees all files under the same paths.

    A video whose worker dies is begun again, elsewhere if need be. A KeyboardInterrupt ends all; `work.resume` goes on
    from there another time.

    Args:
        jobs, work: as for `mien.engine.batch.workers.run_jobs`.
        address: of the cluster, as `ray.init` takes it.
        told: called with each outcome as it comes.
        progress: called with the number of videos that are done.

    Raises:
        SettingsError: Ray is not installed, or there is no such cluster.
    """
    with connected(address) as ray:
        return _run(ray, [_absolute(job) for job in jobs], work, told, progress)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster until the end of the block.

    Args:
        address: of the cluster, as `ray.init` takes it.

    Raises:
        SettingsError: Ray is not installed, or there is no such cluster.
    """
    ray = _ray()
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SettingsError(
            tr("--ray {address}: cannot be reached ({reason}); is the cluster running?", address=address, reason=reason)
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def on_each_machine(ray: Any, make: type, *arguments: Any) -> list[tuple[str, float, Any]]:
    """An actor of `make(*arguments)` on every machine of the cluster that has processors.

    Returns:
        Of each machine: what to call it, its cores, and the actor.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    found = []
    for node in ray.nodes():
        cores = float(node["Resources"].get("CPU", 0.0))
        if node["Alive"] and cores:
            where = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
            actor = ray.remote(make).options(num_cpus=0, scheduling_strategy=where).remote(*arguments)
            found.append((f"{node['NodeManagerAddress']}/{node['NodeID'][:6]}", cores, actor))
    return found


def _ray() -> Any:
    silence_telemetry()  # Ray would report its use to its makers
    try:
        import ray
    except ModuleNotFoundError:
        if is_installed_program():
            raise SettingsError(
                tr(
                    "--ray needs Ray, which this installed program lacks; install uv (https://docs.astral.sh/uv) "
                    "and run {remedy}",
                    remedy='uv tool install "mien[cluster]"',
                )
            ) from None
        raise SettingsError(tr("--ray needs the package ray; install it: pip install 'mien[cluster]'")) from None
    return ray


def _run(
    ray: Any, jobs: Sequence[Job], work: Work, told: Callable[[Outcome], None], progress: Callable[[float], None]
) -> list[Outcome]:
    largest = max((node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"]), default=0.0)
    cpus = max(1.0, min(_CPUS, largest))  # a video must fit on some machine, or it would wait for ever
    work = replace(
        work,
        bundle=replace(work.bundle, path=work.bundle.path.resolve()),
        detector_file=work.detector_file.resolve(),
        settings=replace(work.settings, threads=work.settings.threads or int(cpus)),
    )
    remote = ray.remote(num_cpus=cpus, max_retries=_RETRIES)(_annotate)
    shared = ray.put(work)
    waiting = {remote.remote(job, shared): job for job in jobs}
    outcomes: list[Outcome] = []

    def take(timeout_s: float) -> None:
        ready, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=timeout_s)
        for reference in ready:
            job = waiting.pop(reference)
            try:
                outcome: Outcome = ray.get(reference)
            except ray.exceptions.TaskCancelledError:
                continue
            except ray.exceptions.RayError as error:
                lines = str(error).strip().splitlines() or [type(error).__name__]
                outcome = Outcome(job, "failed", f"{job.spec}: {lines[-1][:200]}")
            outcomes.append(outcome)
            told(outcome)

    try:
        while waiting:
            take(_POLL_S)
            progress(float(len(outcomes)))
    except KeyboardInterrupt:
        for reference in waiting:
            ray.cancel(reference)  # a KeyboardInterrupt over there: what was begun is closed in order
        take(30.0)
    return outcomes


def _annotate(job: Job, work: Work) -> Outcome:
    """What runs on the machines of the cluster."""
    return run_job(_annotator(_Key(work)), job, work)


class _Key:
    """Makes equal works the same key, so that a worker loads the networks once."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._text = repr((work.bundle.sha256, work.bundle.path, work.detector_file, work.settings, work.neutral))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@cache
def _annotator(key: _Key) -> Any:
    import cv2

    cv2.setNumThreads(key.work.settings.threads)
    return key.work.annotator()


def _absolute(job: Job) -> Job:
    spec = job.spec if job.spec == DEMO else str(Path(job.spec).resolve())
    return Job(spec, job.mp4.resolve())
