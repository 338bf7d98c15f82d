"""Uses the client that openapi-python-client made: what it returns has types, errors too."""

import json
import os
import sys

import httpx

world = json.load(open(sys.argv[1], encoding="utf-8"))
sys.path.insert(0, sys.argv[2])

from steward_client import AuthenticatedClient, models  # noqa: E402
from steward_client.api.channels import channels_list, channels_show  # noqa: E402
from steward_client.api.invoices import invoices_create, invoices_list, invoices_show  # noqa: E402
from steward_client.api.node import node_backup, node_status, node_stop  # noqa: E402
from steward_client.api.payments import payments_list, payments_pay, payments_show  # noqa: E402

HOST, PAYER, PAYEE = (
    AuthenticatedClient(base_url=node["url"], token=node["token"], httpx_args={"trust_env": False})
    for node in world["nodes"]
)


def a_payment_has_types_from_end_to_end():
    invoice = invoices_create.sync(
        client=PAYEE, body=models.CreateInvoice(amount_msat=7_000, description="tea")
    )
    assert isinstance(invoice, models.Invoice), invoice
    assert invoice.status is models.InvoiceState.PENDING
    body = models.Pay(invoice=invoice.bolt11, max_fee_msat=2**64 - 1, wait_ms=30_000)
    payment = payments_pay.sync(client=PAYER, body=body)
    assert isinstance(payment, models.Payment), payment
    assert payment.status is models.PaymentState.COMPLETE
    assert payment.amount_msat == 7_000 and payment.preimage
    paid = invoices_show.sync(invoice.payment_hash, client=PAYEE)
    assert isinstance(paid, models.Invoice) and paid.preimage == payment.preimage
    shown = payments_show.sync(invoice.payment_hash, client=PAYER, wait_ms=0)
    assert isinstance(shown, models.PaymentDetails) and len(shown.parts) == 1
    page = payments_list.sync(client=PAYER, limit=1, status=models.PaymentsListStatus.COMPLETE)
    assert isinstance(page, models.Payments) and len(page.payments) == 1
    invoices = invoices_list.sync(client=PAYEE, paid=True)
    assert isinstance(invoices, models.Invoices) and invoices.invoices


def a_channel_with_its_proof():
    status = node_status.sync(client=HOST)
    assert isinstance(status, models.Status)
    channels = channels_list.sync(client=PAYER)
    assert isinstance(channels, models.Channels) and len(channels.channels) == 1
    details = channels_show.sync(status.node_id, client=PAYER)
    assert isinstance(details, models.ChannelDetails), details
    assert details.role is models.Role.CLIENT and details.custodial and details.snapshot
    assert details.balances.capacity_msat > 0


def an_error_is_one_model_everywhere():
    answer = payments_pay.sync_detailed(client=PAYER, body=models.Pay(invoice="lnbc1"))
    assert answer.status_code == 422 and isinstance(answer.parsed, models.Error)
    assert answer.parsed.code == "bad_invoice" and answer.parsed.hint
    answer = invoices_show.sync_detailed("00" * 32, client=PAYER)
    assert answer.status_code == 404 and answer.parsed.code == "unknown_invoice"
    stranger = AuthenticatedClient(base_url=world["nodes"][1]["url"], token="0" * 64)
    answer = node_status.sync_detailed(client=stranger)
    assert answer.status_code == 401 and answer.parsed.code == "unauthorized"


def events_are_one_of_several_models():
    seen = set()
    headers = {"authorization": "Bearer " + world["nodes"][2]["token"], "last-event-id": "0"}
    url = world["nodes"][2]["url"] + "/v1/events"
    with httpx.stream("GET", url, headers=headers, timeout=30, trust_env=False) as stream:
        for line in stream.iter_lines():
            if not line.startswith("data:"):
                continue
            data = json.loads(line.removeprefix("data:"))
            name = "Event" + "".join(word.capitalize() for word in data["type"].split("_"))
            event = getattr(models, name).from_dict(data)
            assert event.type_ == data["type"] and event.to_dict() == data, data
            assert not event.additional_properties, data
            seen.add(data["type"])
            if data["type"] == "invoice_paid":
                break
    assert "channel_opened" in seen, seen


def a_backup_never_replaces_a_file():
    path = os.path.join(world["folder"], "backup-of-the-client")
    backup = node_backup.sync(client=PAYEE, body=models.BackupRequest(path=path))
    assert isinstance(backup, models.Backup) and os.path.getsize(path) > 0
    again = node_backup.sync(client=PAYEE, body=models.BackupRequest(path=path))
    assert isinstance(again, models.Error) and again.code == "file_exists"


def every_node_still_lives():
    for node in [HOST, PAYER, PAYEE]:
        assert isinstance(node_status.sync(client=node), models.Status)
    # Not only requests that are refused.
    page = payments_list.sync(client=PAYER, status=models.PaymentsListStatus.COMPLETE)
    assert len(page.payments) > 4, len(page.payments)


def the_end():
    stopping = node_stop.sync(client=PAYEE)
    assert isinstance(stopping, models.Stopping) and stopping.stopping


CHECKS = {
    "pay": [
        a_payment_has_types_from_end_to_end,
        a_channel_with_its_proof,
        an_error_is_one_model_everywhere,
        events_are_one_of_several_models,
        a_backup_never_replaces_a_file,
    ],
    "stop": [every_node_still_lives, the_end],
}

for check in CHECKS[sys.argv[3]]:
    check()
    print("ok:", check.__name__.replace("_", " "))
