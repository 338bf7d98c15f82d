"""Lets schemathesis meet what there is: random ids and invoices would only ever be unknown.

A value is replaced only where it is one that the document allows, so that requests that are meant
to be wrong stay wrong.
"""

import hashlib
import json
import os
import re

import schemathesis

WORLD = json.load(open(os.environ["STEWARD_PEERS_WORLD"], encoding="utf-8"))
# Of so many values one is left as it was made.
LEAVE_ONE_OF = 3

NODE_ID = re.compile("0[23][0-9a-fA-F]{64}")
HASH = re.compile("[0-9a-fA-F]{64}")
ADDRESS = re.compile("0[23][0-9a-fA-F]{64}@.+:[0-9]{1,5}", re.DOTALL)
PATH = re.compile("/[^\0]*", re.DOTALL)

KNOWN = {
    "peer_id": (NODE_ID, WORLD["node_ids"]),
    "channel": (NODE_ID, WORLD["node_ids"]),
    "destination": (NODE_ID, WORLD["node_ids"]),
    "via": (NODE_ID, WORLD["node_ids"]),
    "payment_hash": (HASH, WORLD["payment_hashes"]),
    "invoice": (re.compile(".*", re.DOTALL), WORLD["invoices"]),
    "host": (ADDRESS, WORLD["addresses"]),
    "peer": (ADDRESS, WORLD["addresses"]),
}


def number(text):
    """The same number for the same text, whatever the run."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:4], "big")


def meet(fields):
    if not isinstance(fields, dict):
        return fields
    fields = dict(fields)
    for name, value in fields.items():
        if not isinstance(value, str):
            continue
        pattern, known = KNOWN.get(name, (None, None))
        # The other fields vary more than this one.
        choice = number(json.dumps([name, fields]))
        if pattern is not None and pattern.fullmatch(value) and choice % LEAVE_ONE_OF != 0:
            fields[name] = known[choice % len(known)]
        if name == "path" and PATH.fullmatch(value):
            # Nothing is written anywhere else on this machine.
            fields[name] = os.path.join(WORLD["folder"], f"backup-{choice % 50}")
    # Nobody waits for what happens seldom.
    if isinstance(fields.get("wait_ms"), int) and 0 <= fields["wait_ms"] <= 600_000:
        fields["wait_ms"] %= 20
    return fields


def afford(path, body):
    """Most amounts are more than anybody has, and most routes lead nowhere: help some on."""
    amount_msat = body.get("amount_msat")
    if not isinstance(amount_msat, int) or not 0 < amount_msat <= 10**18 or amount_msat % 4 == 0:
        return
    if path == "/v1/payments" and body.get("invoice") in WORLD["invoices"]:
        del body["amount_msat"]
        for name in ["all", "max_fee_msat"]:
            body.pop(name, None)
    if path == "/v1/keysend" and body.get("destination") in WORLD["node_ids"]:
        body.pop("max_fee_msat", None)
        body.update(amount_msat=1 + amount_msat % 20_000, via=WORLD["node_ids"][0])
        body["destination"] = WORLD["node_ids"][1 + amount_msat % (len(WORLD["node_ids"]) - 1)]


@schemathesis.hook
def map_body(context, body):
    body = meet(body)
    if isinstance(body, dict):
        afford(context.operation.path, body)
    # Left out, it is a minute.
    if isinstance(body, dict) and context.operation.path in WORLD["waiting"]:
        body.setdefault("wait_ms", 0)
    return body


@schemathesis.hook
def map_query(context, query):
    return meet(query)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    return meet(path_parameters)
