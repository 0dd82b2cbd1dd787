"""What Home Assistant must be told at an MQTT broker, so that it finds what is published there by itself."""

from __future__ import annotations

import json
import re
from typing import Any, Final

_ROOT: Final = "homeassistant"
_NO_KEY: Final = re.compile(r"[^A-Za-z0-9_-]")


def discovery(
    prefix: str, slot: int, labels: tuple[str, ...], values: tuple[str, ...]
) -> list[tuple[str, dict[str, Any]]]:
    """Topics and configurations, to be retained.

    Args:
        prefix: of all of Mien's topics.
        slot: whose; 0: what is said of all together.
        labels: class names of the model.
        values: names of what it predicts beside them.
    """
    node = _NO_KEY.sub("_", prefix)
    device = {"identifiers": [node], "name": "Mien" if prefix == "mien" else f"Mien ({prefix})", "manufacturer": "Mien"}
    common = {"device": device, "availability_topic": f"{prefix}/status"}

    def sensor(key: str, **about: Any) -> tuple[str, dict[str, Any]]:
        identity = {"unique_id": f"{node}_{key}", "object_id": f"{node}_{key}"}
        return f"{_ROOT}/sensor/{node}/{key}/config", {**common, **identity, **about}

    if not slot:
        return [sensor("people", name="People", state_topic=f"{prefix}/people", icon="mdi:account-multiple")]
    topic = f"{prefix}/person/{slot}/state"
    found = [
        sensor(
            f"person_{slot}_label",
            name=f"Person {slot} expression",
            state_topic=topic,
            icon="mdi:emoticon-outline",
            value_template="{{ value_json.label | default('', true) }}",
            json_attributes_topic=topic,
        )
    ]
    for kind, names, scale in (("probabilities", labels, 100), ("values", values, 1)):
        unit = {"unit_of_measurement": "%"} if kind == "probabilities" else {}
        for name in names:
            # In brackets: a dot would find the method `values` of a Python dictionary.
            here = f"value_json['{kind}']"
            number = f"({here}[{json.dumps(name)}] * {scale}) | round(2)"
            found.append(
                sensor(
                    f"person_{slot}_{kind[0]}_{_NO_KEY.sub('_', name)}",
                    name=f"Person {slot} {name}",
                    state_topic=topic,
                    value_template=f"{{{{ {number} if '{kind}' in value_json }}}}",
                    state_class="measurement",
                    **unit,
                )
            )
    return found
