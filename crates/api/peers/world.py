"""Writes down what a running playground has, for hooks.py: ids, addresses, invoices.

Arguments: what `steward playground --json` said, the file to write.
"""

import json
import os
import sys
import urllib.request


class Node:
    """A node's API, by its data directory."""

    def __init__(self, data_dir):
        read = lambda name: open(os.path.join(data_dir, name), encoding="ascii").read().strip()
        self.url = "http://" + read("api-address")
        self.token = read("api-token")

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": "Bearer " + self.token, "content-type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers)
        # The node is on this machine, whatever proxy the environment names.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)


def main(playground, out):
    playground = json.load(open(playground, encoding="utf-8"))
    host = Node(playground["host_data_dir"])
    clients = [Node(folder) for folder in playground["client_data_dirs"]]
    host_id = host.ask("/v1/status")["node_id"]
    known_to_host = [channel["peer_id"] for channel in host.ask("/v1/channels")["channels"]]
    invoices = []
    for node in clients:
        for amount_msat in [1_000, 2_000, 3_000, 50_000, None]:
            body = {"description": "for schemathesis"}
            if amount_msat is not None:
                body["amount_msat"] = amount_msat
            invoices.append(node.ask("/v1/invoices", body))
    with open(os.path.join(os.path.dirname(out), "openapi.json"), "w", encoding="utf-8") as file:
        json.dump(host.ask("/openapi.json"), file, indent=1)
    json.dump(
        {
            "node_ids": [host_id, *known_to_host],
            "addresses": [playground["host_address"]],
            "invoices": [invoice["bolt11"] for invoice in invoices],
            "payment_hashes": [invoice["payment_hash"] for invoice in invoices],
            "waiting": ["/v1/payments", "/v1/keysend", "/v1/channels", "/v1/channels/{channel}/resize"],
            "folder": os.path.dirname(os.path.abspath(out)),
            "nodes": [{"url": node.url, "token": node.token} for node in [host, *clients]],
        },
        open(out, "w", encoding="utf-8"),
        indent=2,
    )


main(*sys.argv[1:])
