"""Opens and runs ONNX graphs. The only file that imports onnxruntime."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.engine.errors import ModelError, one_line
from mien.engine.inference import nvidia, trials
from mien.engine.inference.batches import SIZES, padded
from mien.engine.inference.downloads import cache_folder
from mien.engine.inference.providers import (
    CPU,
    CUDA,
    DIRECTML,
    TENSORRT,
    UNTRIED,
    ProviderList,
    choice_of,
    options,
    order,
)
from mien.engine.language import tr
from mien.engine.settings import Provider
from mien.engine.system import silence_telemetry
from mien.engine.threads import Deadline, Stages
from mien.engine.types import FloatArray

_ERROR_ONLY: Final = 3  # onnxruntime's logging severity
LIMIT_S: Final = 120.0
"""Loading a graph, or one run of it, may take so long: hundreds of times what the largest published models need."""
_ENDLESS: Final = b"Loop"  # the one operation of ONNX that need not end; names of operations are plain text in the file
_Shapes = Mapping[str, tuple[int | None, ...]]


@cache
def _onnxruntime() -> Any:
    silence_telemetry()  # ONNX Runtime looks at its switch once, when it is loaded
    import onnxruntime

    # Where somebody else has loaded it before, and on Windows, where the system collects what it reports.
    onnxruntime.disable_telemetry_events()
    onnxruntime.set_default_logger_severity(_ERROR_ONLY)
    return onnxruntime


@cache
def preload_cuda() -> None:
    """Let ONNX Runtime find the CUDA libraries that pip has installed. What is missing is told by `gpu_problems`."""
    preload = getattr(_onnxruntime(), "preload_dlls", None)
    if preload is not None:
        with redirect_stdout(io.StringIO()):  # it prints what it could not find
            preload()


def runtime() -> nvidia.Runtime:
    """Release of ONNX Runtime, and the CUDA it was built with."""
    return nvidia.Runtime(str(_onnxruntime().__version__), str(getattr(_onnxruntime(), "cuda_version", "") or ""))


def runtime_version() -> str:
    """Version of ONNX Runtime."""
    return runtime().release


def offered_providers() -> list[str]:
    """What this build of ONNX Runtime was compiled with; whether it runs here is another matter."""
    return list(_onnxruntime().get_available_providers())


@cache
def gpu_problems() -> dict[str, str]:
    """Why CUDA and TensorRT cannot run here, by provider, with what to do about it; "" where they may."""
    if nvidia.driver() is not None:
        preload_cuda()
    return {CUDA: nvidia.cuda_problem(runtime()), TENSORRT: nvidia.tensorrt_problem(runtime())}


def provider_list(choice: Provider) -> ProviderList:
    """What graphs may run on for the setting `choice`.

    Raises:
        ModelError: a provider is demanded that this machine does not have.
    """
    problems = {} if choice == "cpu" else gpu_problems()
    names = order(choice, offered_providers(), problems)
    unused = gpu_unused() if choice == "auto" and CUDA not in names else ""
    return ProviderList(
        names,
        demanded=choice != "auto",
        warnings=[tr("{unused}; the model runs on the CPU", unused=unused)] * bool(unused),
    )


def gpu_unused() -> str:
    """Why the NVIDIA card of this machine cannot be used, with what to do about it; "" without a card, or if it can."""
    found = nvidia.driver()
    if found is None or not (found.cards or found.problem):
        return ""
    card = found.cards[0].name if found.cards else tr("the NVIDIA card")
    problem = tr("the installed ONNX Runtime {release} was built without CUDA", release=runtime().release)
    if CUDA in offered_providers():
        problem = gpu_problems()[CUDA]
    return tr("{card} is not used: {problem}", card=card, problem=problem) if problem else ""


def open_session(path: Path, provider: str, chosen: Mapping[str, str], threads: int) -> Any:
    """A session of the graph at `path` on `provider`; what that cannot run goes to the CPU.

    Raises:
        Exception: of any type; ONNX Runtime documents none.
    """
    settings = _session_options(threads)
    if provider in (CUDA, TENSORRT):
        preload_cuda()
    if provider == DIRECTML:
        settings.enable_mem_pattern = False  # DirectML refuses to start with it
    chain: list[Any] = [(provider, dict(chosen))]
    chain += [] if provider == CPU else [CPU]
    session = _onnxruntime().InferenceSession(str(path), settings, providers=chain)
    # By itself, ONNX Runtime would replace a failed provider by the CPU, and say so to nobody.
    session.disable_fallback()
    return session


def open_as_written(path: Path, threads: int, limit_s: float) -> Any:
    """A session of the graph at `path` on the CPU that computes nothing before its first run.

    An optimised session computes what is constant while it is loaded, which no time limit can end.

    Raises:
        TimeoutError: it took longer than `limit_s` seconds.
        Exception: of any type, as above.
    """
    settings = _session_options(threads)
    settings.graph_optimization_level = _onnxruntime().GraphOptimizationLevel.ORT_DISABLE_ALL
    with Deadline(limit_s, lambda: settings.set_load_cancellation_flag(True)) as deadline:
        try:
            return _onnxruntime().InferenceSession(str(path), settings, providers=[CPU])
        except Exception:
            if deadline.late:
                raise TimeoutError(tr("loading it took longer than {limit_s:g} s", limit_s=limit_s)) from None
            raise


def _session_options(threads: int) -> Any:
    settings = _onnxruntime().SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = _ERROR_ONLY
    # Spinning threads would take the cores from decoding and encoding between two short runs.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return settings


class Graph:
    """One ONNX file, running on the first of `providers` that really runs it.

    Where a provider fails in the middle of the work, the same input is run again on the next one, and nothing is lost.
    TensorRT builds its engine first, which takes minutes: meanwhile the next provider serves.

    Args:
        path: the file.
        inputs, outputs: names that the graph must have, each a float32 tensor whose first axis is the batch;
            mapped to the sizes of the other axes. None: any size.
        providers: shared by the graphs of a model: a provider that fails for one is used by none.
        threads: CPU threads for one run.
        integer_inputs: the inputs are int64 instead of float32.
        key: names what is kept on disk, see `graph_key` in `mien.engine.inference.providers`: the engine of TensorRT,
            and that the graph was tried; "": nothing is kept.
        background: let the next provider serve while TensorRT builds; else wait for it.
        limit_s: longest time for loading the graph as it is written, for its first run, and for one that may never end.

    `run` is for one thread at a time.

    Raises:
        ModelError: the file is damaged, or its inputs or outputs are not those asked for.
    """

    def __init__(
        self,
        path: Path,
        *,
        inputs: _Shapes,
        outputs: _Shapes,
        providers: ProviderList,
        threads: int,
        integer_inputs: bool = False,
        key: str = "",
        background: bool = True,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._path = path
        self._limit_s = limit_s
        self._may_be_endless = trials.mentions(path, _ENDLESS)
        self._input_type = np.dtype(np.int64 if integer_inputs else np.float32)
        self._output_names = list(outputs)
        self._input_shapes = dict(inputs)
        self._providers = providers
        self._threads = threads
        self._key = key
        self._lock = threading.Lock()
        self._ready: Any = None  # built in the background, taken up by the next run
        self._failed: list[Any] = []  # kept: tearing down a session whose device is lost may end the process
        self._builder: Stages | None = None
        names = providers.names()
        later = names[0] == TENSORRT and background and len(names) > 1
        self._require_end()
        self._session = self._open(skip=TENSORRT if later else "")
        self._check("input", self._session.get_inputs(), inputs)
        self._check("output", self._session.get_outputs(), outputs)
        if later:
            self._builder = Stages({"engine": self._build}, on_error=lambda: None)
            self._builder.start()

    @property
    def provider(self) -> str:
        """The provider that runs the graph, as ONNX Runtime itself reports it."""
        return str(self._session.get_providers()[0])

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait up to `timeout_s` seconds for what is built in the background; True when nothing is any more."""
        return self._builder is None or self._builder.join(timeout_s)

    def run(self, **arrays: npt.NDArray[Any]) -> list[FloatArray]:
        """Run the graph on named inputs; returns the outputs in the order given at construction.

        Raises:
            ModelError: no provider could run it.
        """
        while True:
            self._take_up()
            try:
                return self._run(self._session, arrays)
            except Exception as error:  # onnxruntime raises many unrelated types, none of them documented
                self._fall_back(error)

    def _run(self, session: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> list[FloatArray]:
        count = len(next(iter(arrays.values())))
        if session.get_providers()[0] == CPU or not count:
            return [np.asarray(value, dtype=np.float32) for value in self._run_part(session, arrays)]
        # Elsewhere each new size is prepared for, which would stall a video whenever a face comes or goes.
        parts = [[value[:rows] for value in self._run_part(session, batch)] for batch, rows in padded(arrays)]
        return [np.concatenate(values).astype(np.float32, copy=False) for values in zip(*parts, strict=True)]

    def _run_part(self, session: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> list[Any]:
        if not self._may_be_endless:
            return list(session.run(self._output_names, arrays))
        return self._run_limited(session, self._output_names, arrays)

    def _run_limited(
        self, session: Any, outputs: list[str] | None, arrays: Mapping[str, npt.NDArray[Any]]
    ) -> list[Any]:
        """One run that is ended after the time limit."""
        chosen = _onnxruntime().RunOptions()
        with Deadline(self._limit_s, lambda: setattr(chosen, "terminate", True)) as deadline:
            try:
                return list(session.run(outputs, arrays, chosen))
            except Exception:
                if deadline.late:
                    raise TimeoutError(tr("a run took longer than {limit_s:g} s", limit_s=self._limit_s)) from None
                raise

    def _take_up(self) -> None:
        """Change to a session that was built meanwhile; leave a provider that failed for another graph."""
        with self._lock:
            ready, self._ready = self._ready, None
        if ready is not None and ready.get_providers()[0] in self._providers.names():
            self._session = ready
        if self.provider not in self._providers.names():
            self._failed.append(self._session)
            self._session = self._open(skip=TENSORRT)

    def _fall_back(self, error: Exception) -> None:
        failed = self.provider
        if not self._providers.drop(failed, one_line(error)):
            raise ModelError(tr(
                "{path}: cannot be run on {failed} ({reason}); choose another model",
                path=self._path, failed=failed, reason=one_line(error)
            )) from None  # fmt: skip
        self._failed.append(self._session)
        self._session = self._open(skip=TENSORRT)

    def _build(self) -> None:
        try:
            session = self._proven(TENSORRT)
            self._compare(session, self._session)
        except Exception as error:  # as above
            self._providers.drop(TENSORRT, one_line(error))
            return
        with self._lock:
            self._ready = session

    def _compare(self, session: Any, reference: Any) -> None:
        """Make sure that a session gives the numbers of another, whatever its precision."""
        inputs = trials.noise(reference, self._input_type)
        trials.require_same(self._run(session, inputs), self._run(reference, inputs))

    def _faster(self, session: Any, reference: Any) -> bool:
        """Whether a session is faster than another with a single face."""
        inputs = trials.zeros(reference, self._input_type)
        return trials.is_faster(lambda: self._run(session, inputs), lambda: self._run(reference, inputs))

    def _require_end(self) -> None:
        """Models come from other people: one that takes for ever must not reach the steps that nothing can end.

        A tenth of a second for the embedded model: those with a key are tried once and remembered.
        """
        tried = cache_folder() / "tried" / self._key if self._key else None
        if tried is not None and tried.is_file():
            return
        try:
            session = open_as_written(self._path, self._threads, self._limit_s)
            if {node.name for node in session.get_inputs()} == set(self._input_shapes):
                self._run_limited(session, None, trials.zeros(session, self._input_type))
        except TimeoutError as error:
            raise ModelError(
                tr("{path}: cannot be run ({error}); choose another model", path=self._path, error=error)
            ) from None
        except Exception:
            return  # whatever else is wrong, opening it for good says clearly
        if tried is not None:
            with suppress(OSError):  # a cache that cannot be written costs time only
                tried.parent.mkdir(parents=True, exist_ok=True)
                tried.touch()

    def _open(self, *, skip: str = "") -> Any:
        """A session on the first provider that really runs the graph."""
        failure, demanded = "", self._providers.demanded
        for provider in self._providers.names():
            if provider == skip:
                continue
            try:
                session = self._proven(provider)
                if provider not in UNTRIED:
                    return session
                reference = self._proven(CPU)
                self._compare(session, reference)
                # Another graph of the model may still be faster there.
                return session if demanded == provider or self._faster(session, reference) else reference
            except Exception as error:  # as above
                failure = one_line(error)
                if demanded == provider:
                    raise ModelError(tr(
                        "{path}: provider {choice_of} cannot run it ({failure}); use auto or cpu",
                        path=self._path, choice_of=choice_of(provider), failure=failure
                    )) from None  # fmt: skip
                if not self._providers.drop(provider, failure):
                    break
        raise ModelError(
            tr("{path}: cannot be run ({failure}); export the model again", path=self._path, failure=failure)
        )

    def _proven(self, provider: str) -> Any:
        """A session that has run once: a provider that cannot start is dropped in silence, or fails only then.

        Other than on the CPU it has run with every size of a batch, so that none is prepared for later.
        """
        chosen = options(provider, self._input_shapes, key=self._key)
        session = open_session(self._path, provider, chosen, self._threads)
        if session.get_providers()[0] != provider:
            raise RuntimeError(tr("ONNX Runtime could not start it"))
        if {node.name for node in session.get_inputs()} == set(self._input_shapes):  # else _check says it more clearly
            for rows in SIZES if provider != CPU else SIZES[:1]:
                session.run(None, trials.zeros(session, self._input_type, rows))
        return session

    def _check(self, kind: str, nodes: Sequence[Any], expected: _Shapes) -> None:
        found = {node.name: node for node in nodes}
        for name, shape in expected.items():
            if name not in found:
                raise ModelError(
                    tr("{path}: has no {kind} {name!r}; export the model again", path=self._path, kind=kind, name=name)
                )
            node = found[name]
            actual = tuple(node.shape[1:])
            fits = len(actual) == len(shape) and all(
                want is None or not isinstance(have, int) or have == want
                for have, want in zip(actual, shape, strict=True)
            )
            wanted = "int64" if kind == "input" and self._input_type == np.int64 else "float"
            if node.type != f"tensor({wanted})" or not fits:
                raise ModelError(tr(
                    "{path}: {kind} {name!r} is {type} {shape}, expected {wanted} with {shape2} after the batch "
                    "axis; export the model again",
                    path=self._path, kind=kind, name=name, type=node.type, shape=list(node.shape), wanted=wanted,
                    shape2=list(shape)
                ))  # fmt: skip
