"""Fine-tune with SetFit: contrastive pairs of training texts, then a logistic head.

Run by path, as a program of its own: ``python setfit_script.py --train FILE --texts FILE
--model FOLDER --seed N --output FILE``. Nothing of this project is imported. Everything is SetFit's
default but the number of pairs: its authors' 20 per row and kind (``num_iterations=20``), because
all pairs of 1,000 rows would be a million.
"""

import argparse
import csv
import json
import tempfile
from importlib.metadata import version
from pathlib import Path

from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments

PAIRS_PER_ROW = 20
Row = dict[str, str]


def main() -> None:
    """Train on all training rows and write predictions for the texts."""
    given = _parse_arguments()
    train, texts = _read_rows(given.train), _read_rows(given.texts)
    model = SetFitModel.from_pretrained(given.model)
    separator = model.model_body.tokenizer.sep_token
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_iterations=PAIRS_PER_ROW,
            seed=given.seed,
            save_strategy="no",
            report_to="none",
        )
        rows = {
            "text": [_join_texts(row, separator) for row in train],
            "label": [row["label"] for row in train],
        }
        trainer = Trainer(model=model, args=arguments, train_dataset=Dataset.from_dict(rows))
        trainer.train()
    predictions = model.predict([_join_texts(row, separator) for row in texts])
    result = {
        "predictions": [str(label) for label in predictions],
        "steps": trainer.st_trainer.state.global_step,
        "versions": {name: version(name) for name in ("setfit", "sentence-transformers")},
    }
    given.output.write_text(json.dumps(result), encoding="utf-8")


def _join_texts(row: Row, separator: str) -> str:
    """SetFit reads single texts, so the texts of a pair become one."""
    return f"{row['text']} {separator} {row['text_pair']}" if "text_pair" in row else row["text"]


def _read_rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="CSV file with labels")
    parser.add_argument("--texts", type=Path, required=True, help="CSV file without labels")
    parser.add_argument("--model", required=True, help="folder of the encoder")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
