"""The exception that carries why a model folder cannot be used."""


class UnfitModel(Exception):
    """Reason and cure, worded to follow the model's name: "has no config.json. Copy …"."""

    @property
    def reason(self) -> str:
        return str(self.args[0])


def refuse_damaged(file_name: str, detail: str = "") -> UnfitModel:
    """Build the refusal of a damaged file; ``detail`` says what is wrong with it."""
    note = f" ({detail})" if detail else ""
    return UnfitModel(f"cannot be used because its {file_name} is damaged{note}. Copy it again.")
