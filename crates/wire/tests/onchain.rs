//! Preimages in transaction outputs (docs/protocol.md section 6.1).

#[path = "support/load.rs"]
mod load;

use bitcoin::{Script, ScriptBuf, Transaction, consensus};
use hex::FromHex;
use load::load;
use proptest::prelude::*;
use serde::Deserialize;
use steward_wire::Preimage;
use steward_wire::onchain::{preimage_scripts, preimages_in_script, preimages_in_transaction};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    transactions: Vec<TransactionCase>,
    scripts: Vec<ScriptCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransactionCase {
    name: String,
    #[serde(rename = "source")]
    _source: String,
    transaction: String,
    preimages: Vec<String>,
    payment_hashes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptCase {
    name: String,
    script: String,
    preimages: Vec<String>,
}

fn parse(preimages: &[String]) -> Vec<Preimage> {
    preimages.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn a_transaction_yields_its_preimages_in_order() {
    for case in load::<Vectors>("preimages.json").transactions {
        let bytes = Vec::<u8>::from_hex(&case.transaction).unwrap();
        let transaction: Transaction = consensus::deserialize(&bytes).unwrap();
        let preimages = preimages_in_transaction(&transaction);
        assert_eq!(preimages, parse(&case.preimages), "{}", case.name);
        let hashes: Vec<String> = preimages.iter().map(|p| p.hash().to_string()).collect();
        assert_eq!(hashes, case.payment_hashes, "{}", case.name);
    }
}

#[test]
fn only_the_two_exact_forms_are_read() {
    for case in load::<Vectors>("preimages.json").scripts {
        let script = ScriptBuf::from_bytes(Vec::from_hex(&case.script).unwrap());
        assert_eq!(preimages_in_script(&script), parse(&case.preimages), "{}", case.name);
    }
}

#[test]
fn preimages_are_published_two_to_a_script() {
    let vectors: Vectors = load("preimages.json");
    let case = &vectors.transactions[0];
    let bytes = Vec::<u8>::from_hex(&case.transaction).unwrap();
    let transaction: Transaction = consensus::deserialize(&bytes).unwrap();
    let published: Vec<ScriptBuf> = transaction
        .output
        .into_iter()
        .map(|output| output.script_pubkey)
        .filter(|script| script.is_op_return())
        .collect();
    assert_eq!(preimage_scripts(&parse(&case.preimages)), published);
}

proptest! {
    #[test]
    fn published_preimages_are_found_again(
        preimages in proptest::collection::vec(any::<[u8; 32]>().prop_map(Preimage), 0..7),
    ) {
        let found: Vec<Preimage> =
            preimage_scripts(&preimages).iter().flat_map(|s| preimages_in_script(s)).collect();
        prop_assert_eq!(found, preimages);
    }

    #[test]
    fn any_script_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(preimages_in_script(Script::from_bytes(&bytes)).len() <= 2);
    }
}
