"""Check of the asynchronous client, which has a transport of its own."""

import asyncio

from openai import AsyncOpenAI

from tests.client.driver.service import LONG, MODEL, Service
from tests.make import review_csv


def check_asynchronous_client(service: Service) -> None:
    asyncio.run(_drive())


async def _drive() -> None:
    async with AsyncOpenAI(
        api_key="none", max_retries=0, _strict_response_validation=True
    ) as client:
        uploads = [
            client.files.create(file=(f"{n}.csv", review_csv(20, seed=n)), purpose="fine-tune")
            for n in range(3)
        ]
        created = {file.id for file in await asyncio.gather(*uploads)}
        listed = [file.id async for file in client.files.list(limit=1, purpose="fine-tune")]
        assert set(listed[:3]) == created
        jobs, file = client.fine_tuning.jobs, listed[0]
        assert (await client.files.content(file)).read() in {
            review_csv(20, seed=n) for n in range(3)
        }
        job = await jobs.create(
            model=MODEL, training_file=file, metadata={"batch": file}, extra_body=LONG
        )
        assert [listed_job.id async for listed_job in jobs.list(metadata={"batch": file})] == [
            job.id
        ]
        events = [event async for event in jobs.list_events(job.id, limit=1)]
        assert events[-1].message.startswith("Created")
        job = await jobs.cancel(job.id)
        while job.status != "cancelled":
            await asyncio.sleep(0.1)
            job = await jobs.retrieve(job.id)
        assert MODEL in [model.id async for model in client.models.list()]


CHECKS = (check_asynchronous_client,)
