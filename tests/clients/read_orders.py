"""Reads an order in each status with the client that openapi-python-client has generated.

Never makes a request by hand: what the generated client cannot do is what this is to show.
"""

import sys
import uuid

from orders_client import Client
from orders_client.api.customers import register_customer
from orders_client.api.orders import cancel_order, deliver_order, get_order, pay_order, place_order, ship_order
from orders_client.api.products import add_product, restock_product
from orders_client.models import (
    Cancellation,
    Delivery,
    Money,
    NewProduct,
    OrderStatus,
    Parcel,
    Payment,
    Placement,
    Price,
    Registration,
    Restock,
    WantedLine,
)

client = Client(base_url=sys.argv[1], raise_on_unexpected_status=True)
sku = f"PY-{uuid.uuid4().hex[:12].upper()}"


def expect(answer, status):
    """The parsed body of an answer of this status, with the token to read what it has changed."""
    assert answer.status_code == status, answer
    return answer.parsed, answer.headers.get("Consistency-Token")


def do(call, order, body):
    """Has something done to an order; gives the token to read that with."""
    return expect(call.sync_detailed(order, client=client, body=body), 200)[1]


price = Price(amount=1299, currency="EUR")
expect(add_product.sync_detailed(client=client, body=NewProduct(sku=sku, name="Mug", price=price)), 201)
expect(restock_product.sync_detailed(sku, client=client, body=Restock(quantity=100)), 200)
ada = Registration(name="Ada", email="ada@example.org")
customer, _ = expect(register_customer.sync_detailed(client=client, body=ada), 201)
total = Money(amount=2598, currency="EUR")


def place():
    body = Placement(customer_id=customer.id, lines=[WantedLine(sku=sku, quantity=2)], expected_total=total)
    order, token = expect(place_order.sync_detailed(client=client, body=body), 201)
    return order.id, token


def read(order, token, status, there):
    """Reads an order, which must be in this status and have these parts and no others."""
    seen, _ = expect(get_order.sync_detailed(order, client=client, consistency_token=token, prefer="wait=10"), 200)
    assert (seen.status, seen.total, seen.lines[0].quantity) == (status, total, 2), seen
    parts = {"paidAt", "shippedAt", "shipment", "deliveredAt", "cancelledAt", "reason"}
    assert parts & set(seen.to_dict()) == set(there), seen
    print(f"read: {status.value}, by openapi-python-client")


order, token = place()
read(order, token, OrderStatus.PLACED, [])
token = do(pay_order, order, Payment(amount=total))
read(order, token, OrderStatus.PAID, ["paidAt"])
token = do(ship_order, order, Parcel(carrier="Post", tracking_number="1Z"))
read(order, token, OrderStatus.SHIPPED, ["paidAt", "shippedAt", "shipment"])
token = do(deliver_order, order, Delivery())
read(order, token, OrderStatus.DELIVERED, ["paidAt", "shippedAt", "shipment", "deliveredAt"])
order, _ = place()
token = do(cancel_order, order, Cancellation(reason="too many mugs"))
read(order, token, OrderStatus.CANCELLED, ["cancelledAt", "reason"])
