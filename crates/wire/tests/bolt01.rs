//! The vectors of BOLT 1: BigSize numbers, TLV streams, extensions.

#[path = "support/load.rs"]
mod load;

use bitcoin::secp256k1::PublicKey;
use hex::FromHex;
use serde::Deserialize;
use steward_wire::codec::{DecodeError, Reader, TlvStream, check_known_tlvs, put_bigsize};

#[derive(Deserialize)]
struct BigSizes {
    decoding: Vec<BigSize>,
    encoding: Vec<BigSize>,
}

#[derive(Deserialize)]
struct BigSize {
    name: String,
    value: u64,
    bytes: String,
    exp_error: Option<String>,
}

#[derive(Deserialize)]
struct Tlvs {
    streams: Vec<Stream>,
    extensions: Vec<Extension>,
}

#[derive(Deserialize)]
struct Stream {
    stream: String,
    namespaces: Vec<String>,
    is_valid: bool,
    text: String,
}

#[derive(Deserialize)]
struct Extension {
    init: String,
    is_valid: bool,
    text: String,
}

fn bytes(hex: &str) -> Vec<u8> {
    Vec::from_hex(hex).unwrap()
}

#[test]
fn bigsize_numbers_are_read_and_written_as_the_specification_says() {
    let vectors: BigSizes = load::load("bolt01/bigsize.json");
    assert_eq!((vectors.decoding.len(), vectors.encoding.len()), (18, 8));
    for vector in vectors.decoding {
        let bytes = bytes(&vector.bytes);
        let mut reader = Reader::new(&bytes);
        let read = reader.bigsize();
        match vector.exp_error {
            None => assert_eq!(read, Ok(vector.value), "{}", vector.name),
            Some(_) => assert!(read.is_err(), "{}", vector.name),
        }
    }
    for vector in vectors.encoding {
        let mut written = Vec::new();
        put_bigsize(&mut written, vector.value);
        assert_eq!(written, bytes(&vector.bytes), "{}", vector.name);
    }
}

/// Reads an amount without leading zeros, as only namespaces of the vectors have it.
fn is_truncated(value: &[u8], max_len: usize) -> bool {
    value.len() <= max_len && value.first() != Some(&0)
}

/// Reads a stream of one of the vectors' two namespaces.
fn read(namespace: &str, stream: &[u8]) -> Result<(), DecodeError> {
    let is_n1 = namespace == "n1";
    check_known_tlvs(stream, if is_n1 { &[2, 254] } else { &[0] })?;
    for record in TlvStream::new(stream) {
        let (tlv_type, value) = record?;
        let is_good = match (is_n1, tlv_type) {
            (true, 1) => is_truncated(value, 8),
            (true, 2) => value.len() == 8,
            (true, 3) => {
                value.len() == 49 && PublicKey::from_slice(value.get(..33).unwrap()).is_ok()
            }
            (true, 254) => value.len() == 2,
            (false, 0) => is_truncated(value, 8),
            (false, 11) => is_truncated(value, 4),
            _ => true,
        };
        if !is_good {
            return Err(DecodeError::BadTlv);
        }
    }
    Ok(())
}

#[test]
fn tlv_streams_are_accepted_and_refused_as_the_specification_says() {
    let vectors: Tlvs = load::load("bolt01/tlv.json");
    assert_eq!(vectors.streams.len(), 57);
    for vector in &vectors.streams {
        for namespace in &vector.namespaces {
            let result = read(namespace, &bytes(&vector.stream));
            assert_eq!(result.is_ok(), vector.is_valid, "{}: {}", vector.stream, vector.text);
        }
    }
    // Appending an invalid stream to a valid one makes an invalid one.
    let is_of = |vector: &&Stream| vector.namespaces.contains(&"n1".to_owned());
    for valid in vectors.streams.iter().filter(is_of).filter(|vector| vector.is_valid) {
        for invalid in vectors.streams.iter().filter(is_of).filter(|vector| !vector.is_valid) {
            let joined = bytes(&format!("{}{}", valid.stream, invalid.stream));
            assert!(read("n1", &joined).is_err(), "{} {}", valid.stream, invalid.stream);
        }
    }
}

#[test]
fn extensions_of_a_message_are_tlv_streams() {
    let vectors: Tlvs = load::load("bolt01/tlv.json");
    assert_eq!(vectors.extensions.len(), 5);
    for vector in vectors.extensions {
        let init = bytes(&vector.init);
        let mut reader = Reader::new(&init);
        assert_eq!(reader.u16(), Ok(16));
        // The base message is two vectors of features, both empty.
        reader.var_u16().and_then(|_| reader.var_u16()).unwrap();
        let result = check_known_tlvs(reader.rest(), &[]);
        assert_eq!(result.is_ok(), vector.is_valid, "{}", vector.text);
    }
}
