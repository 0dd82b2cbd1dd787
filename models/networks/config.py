"""What a model of the family is made of: the [model] table of a training configuration, stored in every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Literal

from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.models.networks.adapters.table import ADAPTERS
from mien.models.networks.aggregators import AGGREGATORS
from mien.models.networks.labels import LabelSet


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Parts and sizes of a `VideoTextModel`.

    Attributes:
        backbone: an open_clip architecture; a table {embed_dim, vision_cfg, text_cfg} for a size of one's own; a
            checkpoint file; or "embedded" or a bundle's folder, whose image side has no text side beside it.
        pretrained: open_clip weight tag or file; "" for random weights.
        pixels: "raw", RGB in [0,1] as DFER-CLIP, or "clip", normalised with the backbone's mean and deviation.
        aggregator: one of `AGGREGATORS`.
        aggregator_options: what an aggregator needs to know beyond the sizes below.
        depth, heads, head_dim, mlp_dim, max_len: of the temporal transformer; max_len counts the class token.
        adapter: one of `ADAPTERS`, small trainable parts on the image side; "": none.
        adapter_options: what it needs to know.
        text: "sentences", "context" (learned vectors beside a text), "slots" (learned vectors in a template) or
            "vectors" (a learned vector for each class, and no text).
        contexts, shared_context, context_position: of "context".
        template, first_slot, slots, per_class: of "slots"; first_slot counts tokens, the start token being 0.
        steps: T, the frames of a clip.
        scale: factor on the cosine, or where it starts when it is trained.
        values: names of numbers that a head predicts beside the classes, such as valence; empty: none.
        hidden: width of that head's hidden layer.
    """

    backbone: str | dict[str, Any] = "ViT-B-32-quickgelu"
    pretrained: str = "openai"
    pixels: Literal["raw", "clip"] = "clip"
    aggregator: str = "transformer"
    aggregator_options: dict[str, Any] = field(default_factory=dict)
    depth: int = 1
    heads: int = 8
    head_dim: int = 64
    mlp_dim: int = 1024
    max_len: int = 17
    adapter: str = ""
    adapter_options: dict[str, Any] = field(default_factory=dict)
    text: Literal["sentences", "context", "slots", "vectors"] = "sentences"
    contexts: int = 8
    shared_context: bool = False
    context_position: Literal["end", "middle", "front"] = "end"
    template: str = "an ID photo of X X X X."
    first_slot: int = 5
    slots: int = 4
    per_class: int = 5
    steps: int = 16
    scale: float = 100.0
    values: list[str] = field(default_factory=list)
    hidden: int = 256

    def __post_init__(self) -> None:
        choices = {
            "pixels": ("raw", "clip"),
            "aggregator": tuple(AGGREGATORS),
            "adapter": ("", *ADAPTERS),
            "text": ("sentences", "context", "slots", "vectors"),
            "context_position": ("end", "middle", "front"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ModelError(
                    tr(
                        "model.{name} must be one of {filter}, not {getattr!r}",
                        name=name,
                        filter=", ".join(filter(None, allowed)),
                        getattr=getattr(self, name),
                    )
                )
        for name in (
            "depth",
            "heads",
            "head_dim",
            "mlp_dim",
            "contexts",
            "slots",
            "per_class",
            "steps",
            "first_slot",
            "hidden",
        ):
            if getattr(self, name) < 1:
                raise ModelError(
                    tr("model.{name} must be at least 1, not {getattr}", name=name, getattr=getattr(self, name))
                )
        if len(set(self.values)) != len(self.values) or not all(isinstance(v, str) and v.strip() for v in self.values):
            raise ModelError(tr("model.values must be names, each of its own, not {values}", values=self.values))


def table(kind: type[Any], data: Mapping[str, Any], where: str) -> Any:
    """A dataclass of `kind` from the TOML table `data`; `where` names the table in messages.

    Raises:
        ModelError: an unknown name, a missing one, or a value of the wrong type.
    """
    known = {item.name: item for item in fields(kind)}
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise ModelError(
            tr(
                "[{where}] does not know {unknown!r}; it knows {known}",
                where=where,
                unknown=unknown[0],
                known=", ".join(known),
            )
        )
    for name, item in known.items():
        has_default = item.default is not MISSING or item.default_factory is not MISSING
        if name not in data and not has_default:
            raise ModelError(tr("[{where}] needs {name}", where=where, name=name))
        if name in data and item.default is not MISSING and not _fits(data[name], item.default):
            raise ModelError(
                tr(
                    "{where}.{name} must be like {default!r}, not {data!r}",
                    where=where,
                    name=name,
                    default=item.default,
                    data=data[name],
                )
            )
    return kind(**{name: float(v) if isinstance(known[name].default, float) else v for name, v in data.items()})


def _fits(value: Any, default: Any) -> bool:
    if default is None or (isinstance(default, str) and isinstance(value, dict)):
        return True
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    return isinstance(value, int | float) if isinstance(default, float) else isinstance(value, type(default))


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What must travel with the weights to rebuild the network and to say where it comes from."""

    config: ModelConfig
    labels: LabelSet
    name: str
    licence: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    def as_table(self) -> dict[str, Any]:
        """Plain lists, tables, texts and numbers, for a checkpoint that is read without unpickling."""
        return asdict(self)

    @classmethod
    def from_table(cls, data: Mapping[str, Any]) -> ModelCard:
        """The inverse of `as_table`.

        Raises:
            ModelError: something is missing or malformed.
        """
        try:
            labels = LabelSet(
                tuple(map(str, data["labels"]["labels"])),
                tuple(tuple(map(str, texts)) for texts in data["labels"]["texts"]),
            )
            config = table(ModelConfig, data["config"], "model")
            return cls(config, labels, str(data["name"]), str(data["licence"]), data["provenance"], data["metrics"])
        except (KeyError, TypeError) as error:
            raise ModelError(
                tr("the checkpoint's description of its model is incomplete ({error})", error=error)
            ) from None
