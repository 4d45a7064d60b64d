"""Earlier names of settings, added to an exported config.json for servers that know no others.

transformers 5 writes the rotary bases and the places of global attention of ModernBERT in another
form, and no number of labels. It still reads the earlier names, and gets the same network.
"""

import json
from pathlib import Path

from transformers import PreTrainedConfig

_GLOBAL, _LOCAL = "full_attention", "sliding_attention"


def add_earlier_names(config: PreTrainedConfig, folder: Path) -> None:
    """Add them to the folder's config.json, if the family has any."""
    if config.model_type != "modernbert":
        return
    file = folder / "config.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    written = json.dumps(_list_earlier_names(config) | content, indent=2, sort_keys=True)
    file.write_text(f"{written}\n", encoding="utf-8")


def _list_earlier_names(config: PreTrainedConfig) -> dict[str, object]:
    bases = {span: settings["rope_theta"] for span, settings in config.rope_parameters.items()}
    names: dict[str, object] = {
        "global_rope_theta": bases[_GLOBAL],
        # a network whose layers are all global may have no local base
        "local_rope_theta": bases.get(_LOCAL, bases[_GLOBAL]),
        "num_labels": config.num_labels,
    }
    period = _find_period(config.layer_types)
    return names if period is None else names | {"global_attn_every_n_layers": period}


def _find_period(layer_types: list[str]) -> int | None:
    """Return every how many layers attention is global, from the first on; None if irregularly."""
    later = (index for index, kind in enumerate(layer_types) if index and kind == _GLOBAL)
    period = next(later, len(layer_types))
    regular = [_LOCAL if index % period else _GLOBAL for index in range(len(layer_types))]
    return period if layer_types == regular else None
