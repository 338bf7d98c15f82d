//! BOLT 4's own vectors for failures and fulfills on their way back.

mod support;

use steward_onion::{
    Attribution, Failure, attribute_fulfill, build_failure, decode_failure,
    read_failure_attribution, read_fulfill_attribution, wrap_attributed_failure, wrap_failure,
};
use steward_wire::NodeId;
use support::{array, bytes, vector};

fn node_ids(keys: &[serde_json::Value]) -> Vec<NodeId> {
    keys.iter().map(|key| NodeId(array(key))).collect()
}

#[test]
fn a_failure_is_built_and_wrapped_as_in_bolt4() {
    let test = vector("onion-error-test");
    let hops = test["generate"]["hops"].as_array().unwrap();
    let secrets: Vec<[u8; 32]> = hops.iter().map(|hop| array(&hop["hop_shared_secret"])).collect();
    let mut reason = build_failure(&secrets[4], &Failure::temporary_node_failure());
    for secret in secrets[..4].iter().rev() {
        reason = wrap_failure(secret, &reason);
    }
    assert_eq!(reason, bytes(&test["errorpacket"]));
}

#[test]
fn the_sender_reads_the_bolt4_failure() {
    let test = vector("onion-error-test");
    let hops = test["generate"]["hops"].as_array().unwrap();
    let hops: Vec<_> = hops.iter().map(|hop| NodeId(array(&hop["pubkey"]))).collect();
    let session_key = array(&test["generate"]["session_key"]);
    let decoded = decode_failure(&session_key, &hops, &bytes(&test["errorpacket"])).unwrap();
    assert_eq!(decoded.hop_index, 4);
    assert_eq!(decoded.failure, Failure::temporary_node_failure());
}

#[test]
fn every_node_attributes_the_bolt4_failure_as_the_vector_says() {
    let test = vector("attribution-test");
    let secrets = test["shared_secrets"].as_array().unwrap();
    let mut reason = bytes(&test["failure"]["raw_error_packet"]);
    let mut attribution: Option<Attribution> = None;
    for step in test["failure"]["nodes"].as_array().unwrap() {
        let node = step["node"].as_u64().unwrap() as usize;
        let held_ms = test["hold_times"][node].as_u64().unwrap() * 100;
        let secret = array(&secrets[node]);
        let wrapped = wrap_attributed_failure(&secret, &reason, attribution.as_ref(), held_ms);
        assert_eq!(wrapped.reason, bytes(&step["error_packet"]), "node {node}");
        assert_eq!(wrapped.attribution.0.to_vec(), bytes(&step["attribution_data"]), "node {node}");
        (reason, attribution) = (wrapped.reason, Some(wrapped.attribution));
    }
}

#[test]
fn the_sender_reads_failure_and_hold_times_of_the_bolt4_vector() {
    let test = vector("attribution-test");
    let hops = node_ids(test["pubkeys"].as_array().unwrap());
    let session_key = array(&test["session_key"]);
    let arrived = test["failure"]["nodes"].as_array().unwrap().last().unwrap();
    let reason = bytes(&arrived["error_packet"]);
    let decoded = decode_failure(&session_key, &hops, &reason).unwrap();
    assert_eq!(decoded.hop_index, 4);
    assert_eq!(decoded.failure.name(), "incorrect_or_unknown_payment_details");
    let attribution = Attribution(array(&arrived["attribution_data"]));
    let read = read_failure_attribution(&session_key, &hops, &reason, &attribution).unwrap();
    assert_eq!(read.held_ms, [500, 400, 300, 200, 100]);
    assert_eq!(read.spoiled_at, None);
}

#[test]
fn every_node_attributes_the_bolt4_fulfill_as_the_vector_says() {
    let test = vector("attribution-test");
    let secrets = test["shared_secrets"].as_array().unwrap();
    let mut attribution: Option<Attribution> = None;
    for step in test["fulfill"]["nodes"].as_array().unwrap() {
        let node = step["node"].as_u64().unwrap() as usize;
        let held_ms = test["hold_times"][node].as_u64().unwrap() * 100;
        let next = attribute_fulfill(&array(&secrets[node]), attribution.as_ref(), held_ms);
        assert_eq!(next.0.to_vec(), bytes(&step["attribution_data"]), "node {node}");
        attribution = Some(next);
    }
    let hops = node_ids(test["pubkeys"].as_array().unwrap());
    let session_key = array(&test["session_key"]);
    let read = read_fulfill_attribution(&session_key, &hops, &attribution.unwrap()).unwrap();
    assert_eq!(read.held_ms, [500, 400, 300, 200, 100]);
}
