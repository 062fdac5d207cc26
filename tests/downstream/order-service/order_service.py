"""A web service on ammoo: it takes orders over HTTP, and outlives restarts of its broker."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel

import ammoo


class Order(BaseModel):
    """What a customer wants."""

    id: int
    sum: int


@asynccontextmanager
async def connected(app: FastAPI) -> AsyncIterator[None]:
    """Keep a connection and a channel while the service runs."""
    recovery = ammoo.Recovery(retry_first=True)
    async with (
        ammoo.connect(os.environ["AMQP_URL"], recovery=recovery, operation_timeout=5) as connection,
        connection.channel(reopen=True) as channel,
    ):
        await channel.select_confirm()
        await channel.declare_queue("orders", durable=True)
        app.state.connection, app.state.channel = connection, channel
        yield


app = FastAPI(lifespan=connected)


@app.post("/orders", status_code=202)
async def create(order: Order, request: Request) -> Order:
    """Publish an order; answer 503 if the broker did not take it."""
    channel: ammoo.Channel = request.app.state.channel
    try:
        await channel.publish(
            "",
            "orders",
            order.model_dump_json(),
            content_type="application/json",
            persistent=True,
            message_id=f"order-{order.id}",
        )
    except (ammoo.exceptions.PublishFailed, ammoo.ChannelClosed, TimeoutError):
        raise HTTPException(503, "try again later") from None
    return order


@app.get("/ready")
async def ready(request: Request) -> str:
    """Answer 503 while the broker cannot be reached."""
    try:
        await request.app.state.connection.ready(timeout=5)
    except (ammoo.ConnectionClosed, TimeoutError):
        raise HTTPException(503, "no connection to the broker") from None
    return "ready"
