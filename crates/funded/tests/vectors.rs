//! The vectors of BOLT 3, appendices C to F, through our own trimming, fees and verification.

use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::secp256k1::{PublicKey, ecdsa};
use bitcoin::{OutPoint, Transaction};
use lightning::ln::channel_keys::{
    HtlcBasepoint, HtlcKey as LdkHtlcKey, RevocationBasepoint, RevocationKey,
};
use serde_json::Value;
use steward_funded::bolt3::{
    Basepoints, Commitment, CommitmentHtlc, Contents, Format, HtlcKey, Parameters, Shachain, Side,
    SideTerms, derive_secret,
};
use steward_wire::{Preimage, Signature};

fn file(name: &str) -> Value {
    let path = format!("{}/../../vectors/bolt03/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is not a text"))
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key} is not a number"))
}

fn key(value: &Value, name: &str) -> PublicKey {
    text(value, name).parse().unwrap()
}

fn bytes32(text: &str) -> [u8; 32] {
    let id: steward_wire::PaymentHash = text.parse().unwrap();
    id.0
}

fn signature(der: &str) -> Signature {
    let der = <Vec<u8> as hex::FromHex>::from_hex(der).unwrap();
    ecdsa::Signature::from_der(&der).unwrap().into()
}

fn side(keys: &Value, delay: u16, dust_limit_sat: u64, any: PublicKey) -> SideTerms {
    let or_any = |name: &str| keys[name].as_str().map_or(any, |text| text.parse().unwrap());
    SideTerms {
        basepoints: Basepoints {
            funding: key(keys, "funding_pubkey"),
            revocation: or_any("revocation_basepoint"),
            payment: key(keys, "payment_basepoint"),
            delayed_payment: or_any("delayed_payment_basepoint"),
            htlc: key(keys, "htlc_basepoint"),
        },
        dust_limit_sat,
        to_self_delay: delay,
        max_in_flight_msat: u64::MAX,
        max_accepted_htlcs: 483,
        htlc_minimum_msat: 1,
        reserve_sat: 0,
        shutdown_script: Vec::new(),
    }
}

fn parameters(common: &Value, format: Format, dust_limit_sat: u64) -> Parameters {
    let delay = u16::try_from(number(common, "to_self_delay")).unwrap();
    let any = key(&common["local"], "funding_pubkey");
    Parameters {
        format,
        funding: OutPoint { txid: text(common, "funding_txid").parse().unwrap(), vout: 0 },
        funding_sat: number(common, "funding_sat"),
        funder: Side::Local,
        local: side(&common["local"], delay, dust_limit_sat, any),
        remote: side(&common["remote"], delay, dust_limit_sat, any),
    }
}

fn contents(common: &Value, vector: &Value) -> Contents {
    let htlc = |index: &Value| {
        let id = index.as_u64().unwrap();
        let htlc = &common["htlcs"][usize::try_from(id).unwrap()];
        let offered = htlc["offered"].as_bool().unwrap();
        CommitmentHtlc {
            key: HtlcKey { offered_by: if offered { Side::Local } else { Side::Remote }, id },
            amount_msat: number(htlc, "amount_msat"),
            payment_hash: Preimage(bytes32(text(htlc, "preimage"))).hash(),
            cltv_expiry: u32::try_from(number(htlc, "cltv_expiry")).unwrap(),
        }
    };
    Contents {
        local_msat: number(vector, "to_local_msat"),
        remote_msat: number(vector, "to_remote_msat"),
        feerate_per_kw: u32::try_from(number(vector, "feerate_per_kw")).unwrap(),
        htlcs: vector["htlcs"].as_array().unwrap().iter().map(htlc).collect(),
    }
}

fn without_witness(hex: &str) -> (Transaction, Vec<Vec<u8>>) {
    let mut transaction: Transaction = deserialize_hex(hex).unwrap();
    let witness = std::mem::take(&mut transaction.input[0].witness);
    (transaction, witness.to_vec())
}

fn check(common: &Value, vector: &Value, format: Format) {
    let name = text(vector, "name");
    let parameters = parameters(common, format, number(vector, "dust_limit_sat"));
    let contents = contents(common, vector);
    let commitment = Commitment {
        parameters: &parameters,
        owner: Side::Local,
        number: number(common, "commitment_number"),
        point: key(common, "per_commitment_point"),
        contents: &contents,
    };
    let built = commitment.build();
    let (expected, _) = without_witness(text(vector, "commitment_tx"));
    assert_eq!(built.transaction(), expected, "{name}");
    let expected: Vec<&Value> = vector["htlc_transactions"].as_array().unwrap().iter().collect();
    let theirs: Vec<Signature> =
        expected.iter().map(|htlc| signature(text(htlc, "remote_signature"))).collect();
    let ours = signature(text(vector, "remote_signature"));
    built.verify(&parameters, Side::Local, &ours, &theirs).unwrap();
    let transactions = built.htlc_transactions(&parameters, Side::Local);
    for (built, htlc) in transactions.iter().zip(&expected) {
        assert_eq!(*built, without_witness(text(htlc, "tx")).0, "{name}");
    }
    assert_eq!(transactions.len(), expected.len(), "{name}");
    assert_eq!(built.signature_order().len(), expected.len(), "{name}");
    // A signature more, less, or of another transaction is refused.
    let mut wrong = theirs.clone();
    wrong.push(ours);
    assert!(built.verify(&parameters, Side::Local, &ours, &wrong).is_err(), "{name}");
    if let Some(first) = theirs.first() {
        assert!(built.verify(&parameters, Side::Local, first, &theirs).is_err(), "{name}");
        wrong.pop();
        wrong[0] = ours;
        assert!(built.verify(&parameters, Side::Local, &ours, &wrong).is_err(), "{name}");
    }
}

#[test]
fn commitments_without_anchors_are_those_of_appendix_c() {
    let file = file("commitments");
    let vectors = file["commitments"].as_array().unwrap();
    assert_eq!(vectors.len(), 16);
    vectors.iter().for_each(|vector| check(&file["common"], vector, Format::StaticRemotekey));
}

#[test]
fn commitments_with_anchors_are_those_of_appendix_f() {
    let (common, file) = (file("commitments"), file("anchors"));
    let vectors = file["commitments"].as_array().unwrap();
    assert_eq!(vectors.len(), 9);
    vectors.iter().for_each(|vector| check(&common["common"], vector, Format::Anchors));
}

#[test]
fn secrets_are_generated_and_stored_as_in_appendix_d() {
    let file = file("secrets");
    for vector in file["generation"].as_array().unwrap() {
        let secret = derive_secret(bytes32(text(vector, "seed")), 48, number(vector, "index"));
        assert_eq!(secret, bytes32(text(vector, "secret")), "{}", text(vector, "name"));
    }
    for vector in file["storage"].as_array().unwrap() {
        let mut chain = Shachain::default();
        for (at, insertion) in vector["insertions"].as_array().unwrap().iter().enumerate() {
            let number_of = u64::try_from(at).unwrap();
            assert_eq!(number(insertion, "index"), (1 << 48) - 1 - number_of);
            let secret = bytes32(text(insertion, "secret"));
            let inserted = chain.insert(secret);
            assert_eq!(inserted.is_ok(), insertion["is_ok"].as_bool().unwrap(), "{vector}");
            assert_eq!(chain.secret(number_of).is_some(), inserted.is_ok());
        }
    }
}

#[test]
fn all_secrets_come_back_from_the_store_and_from_its_record() {
    let seed = [7; 32];
    let mut chain = Shachain::default();
    for count in 0..600u64 {
        let stored: Vec<[u8; 32]> = chain.stored().collect();
        assert_eq!(Shachain::from_stored(count, &stored), Ok(chain.clone()), "{count}");
        if count > 0 {
            let fewer = stored.get(1..).unwrap();
            assert!(Shachain::from_stored(count, fewer).is_err(), "{count}");
        }
        chain.insert(derive_secret(seed, 48, (1 << 48) - 1 - count)).unwrap();
        for number in [0, count / 2, count] {
            let secret = derive_secret(seed, 48, (1 << 48) - 1 - number);
            assert_eq!(chain.secret(number), Some(secret));
        }
        assert_eq!(chain.secret(count + 1), None);
    }
    assert!(chain.insert([9; 32]).is_ok(), "an even index proves nothing");
    assert!(chain.insert(derive_secret(seed, 48, (1 << 48) - 1 - 601)).is_err());
}

#[test]
fn keys_are_derived_as_in_appendix_e() {
    let file = file("keys");
    let secp = bitcoin::secp256k1::Secp256k1::new();
    let (base, point) = (key(&file, "base_point"), key(&file, "per_commitment_point"));
    let local = LdkHtlcKey::from_basepoint(&secp, &HtlcBasepoint(base), &point);
    assert_eq!(local.to_public_key(), key(&file, "localpubkey"));
    let revocation = RevocationKey::from_basepoint(&secp, &RevocationBasepoint(base), &point);
    assert_eq!(revocation.to_public_key(), key(&file, "revocationpubkey"));
}
