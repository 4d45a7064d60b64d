"""Fine-tune with ``transformers.Trainer`` as its documentation shows, with its defaults.

Run by path, as a program of its own: ``python trainer_script.py --train FILE --texts FILE
--model FOLDER --seed N --output FILE``. Nothing of this project is imported.
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import transformers
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

Row = dict[str, str]


def main() -> None:
    """Train on all training rows and write predictions for the texts."""
    given = _parse_arguments()
    train, texts = _read_rows(given.train), _read_rows(given.texts)
    labels = sorted({row["label"] for row in train})
    transformers.set_seed(given.seed)  # before the head is drawn
    tokenizer = AutoTokenizer.from_pretrained(given.model)
    outputs: dict[str, Any] = (
        {"num_labels": 1, "problem_type": "regression"}
        if given.regression
        else {"num_labels": len(labels)}
    )
    model = AutoModelForSequenceClassification.from_pretrained(given.model, **outputs)
    with tempfile.TemporaryDirectory() as folder:
        # the documentation's arguments, all of them defaults: 5e-5, 3 epochs, batches of 8
        arguments = TrainingArguments(
            output_dir=folder,
            learning_rate=5e-5,
            num_train_epochs=3,
            per_device_train_batch_size=8,
            seed=given.seed,
            save_strategy="no",
            report_to="none",
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=_tokenize(tokenizer, train, labels, given.regression),
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        trainer.train()
        logits = trainer.predict(_tokenize(tokenizer, texts)).predictions
    predictions = (
        [float(row[0]) for row in logits]
        if given.regression
        else [labels[int(row.argmax())] for row in logits]
    )
    result = {
        "predictions": predictions,
        "steps": trainer.state.global_step,
        "versions": {"transformers": transformers.__version__},
    }
    given.output.write_text(json.dumps(result), encoding="utf-8")


def _tokenize(
    tokenizer: Any, rows: list[Row], labels: list[str] | None = None, regression: bool = False
) -> Any:
    """Tokenize rows; with ``labels`` they are training rows."""
    tokenized = []
    for row in rows:
        features = dict(tokenizer(row["text"], row.get("text_pair"), truncation=True))
        if labels is not None:
            features["labels"] = float(row["label"]) if regression else labels.index(row["label"])
        tokenized.append(features)
    return tokenized


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
    parser.add_argument("--regression", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
