"""A script for the hosted fine-tuning API: it trains a sentiment classifier from chats."""

import csv
import io
import json
import random
import time

from openai import OpenAI

MODEL = "gpt-4o-mini-2024-07-18"
SYSTEM = {"role": "system", "content": "Is the review positive or negative?"}
WORDS = {"positive": ("wonderful", "moving", "funny"), "negative": ("boring", "awful", "clumsy")}
THINGS = ("film", "book", "play", "song", "game")


def write_chats(path: str, count: int, seed: int) -> None:
    generator = random.Random(seed)
    with open(path, "w") as target:
        for number in range(count):
            label = ("positive", "negative")[number % 2]
            text = (
                f"{generator.choice(('a', 'what a', 'such a'))} "
                f"{generator.choice(WORDS[label])} {generator.choice(THINGS)} {number}"
            )
            question, answer = (
                {"role": "user", "content": text},
                {"role": "assistant", "content": label},
            )
            target.write(json.dumps({"messages": [SYSTEM, question, answer]}) + "\n")


def main() -> None:
    client = OpenAI()
    write_chats("train.jsonl", 60, seed=1)
    write_chats("valid.jsonl", 24, seed=2)
    with open("train.jsonl", "rb") as training, open("valid.jsonl", "rb") as validation:
        training_file = client.files.create(file=training, purpose="fine-tune")
        validation_file = client.files.create(file=validation, purpose="fine-tune")
    client.files.wait_for_processing(training_file.id)

    job = client.fine_tuning.jobs.create(
        model=MODEL,
        training_file=training_file.id,
        validation_file=validation_file.id,
        suffix="sentiment",
        hyperparameters={"n_epochs": 3},
    )
    print("created", job.id, job.hyperparameters.n_epochs)
    while job.status not in ("succeeded", "failed", "cancelled"):
        time.sleep(0.5)
        job = client.fine_tuning.jobs.retrieve(job.id)
    print("ended", job.status, job.trained_tokens)

    for event in client.fine_tuning.jobs.list_events(fine_tuning_job_id=job.id, limit=10):
        print("event", event.level, event.message)
    for checkpoint in client.fine_tuning.jobs.checkpoints.list(job.id):
        metrics = checkpoint.metrics
        print(
            "checkpoint",
            checkpoint.step_number,
            metrics.valid_loss,
            checkpoint.fine_tuned_model_checkpoint,
        )
    assert job.fine_tuned_model
    model = client.models.retrieve(job.fine_tuned_model)
    print("model", model.id, model.owned_by)

    table = client.files.content(job.result_files[0]).text
    measured = [row for row in csv.DictReader(io.StringIO(table)) if row["valid_loss"]]
    accuracy = max(float(row["valid_mean_token_accuracy"]) for row in measured)
    trained = [
        float(row["train_loss"]) for row in csv.DictReader(io.StringIO(table)) if row["train_loss"]
    ]
    print("result", client.files.retrieve(job.result_files[0]).filename, len(trained), accuracy)

    other = client.fine_tuning.jobs.create(
        model=MODEL,
        training_file=training_file.id,
        method={
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 50, "batch_size": 1}},
        },
        seed=7,
        metadata={"note": "a mistake"},
    )
    other = client.fine_tuning.jobs.cancel(other.id)
    while other.status not in ("succeeded", "failed", "cancelled"):
        time.sleep(0.5)
        other = client.fine_tuning.jobs.retrieve(other.id)
    print("other", other.status, other.fine_tuned_model)
    newest = client.fine_tuning.jobs.list(limit=2).data
    print("listed", [listed.id for listed in newest] == [other.id, job.id])
    for file in (training_file, validation_file):
        print("deleted", client.files.delete(file.id).deleted)


if __name__ == "__main__":
    main()
