"""A web shop's service: it takes an order over HTTP and publishes it for the other services."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.exceptions import DeliveryError
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel


class Order(BaseModel):
    """What a customer wants."""

    id: int
    sum: int


@asynccontextmanager
async def connected(app: FastAPI) -> AsyncIterator[None]:
    """Keep a connection and an exchange while the service runs."""
    connection = await aio_pika.connect_robust(os.environ["AMQP_URL"])
    async with connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange("orders", aio_pika.ExchangeType.TOPIC)
        queue = await channel.declare_queue("billing")
        await queue.bind(exchange, "order.#")
        app.state.orders = exchange
        yield


app = FastAPI(lifespan=connected)


@app.post("/orders", status_code=202)
async def create(order: Order, request: Request) -> Order:
    """Publish an order; answer 503 if the broker does not confirm it."""
    message = aio_pika.Message(
        order.model_dump_json().encode(), content_type="application/json", delivery_mode=2
    )
    try:
        await request.app.state.orders.publish(message, routing_key="order.created")
    except DeliveryError:
        raise HTTPException(503, "try again later") from None
    return order
