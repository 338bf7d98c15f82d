//! One function per harness: bytes in, a panic if a property does not hold. Coverage guidance is
//! in `driver/`, the same functions run as property tests in `tests/`.
//!
//! Layout
//! - [`HARNESSES`]: all of them, by name
//! - `bytes`: how structured harnesses read their choices from the input
//! - `kits`: worlds borrowed from the tests of other crates
//! - `wire`, `onion`, `invoice`, `store`, `settings`, `api`, `p2p`, `chain`: decoders
//! - `api_store`: requests of callers, to a real engine and its store
//! - `resolver`: a dying funded channel
//! - `rogue`: a peer with a key and no scruples
//! - `channel`, `funded`, `engine`: sequences of inputs to state machines
#![forbid(unsafe_code)]

mod api;
mod api_store;
mod bytes;
mod chain;
mod channel;
mod engine;
mod funded;
mod invoice;
mod kits;
mod onion;
mod p2p;
mod resolver;
mod rogue;
mod settings;
mod store;
mod wire;

/// One harness.
#[derive(Clone, Copy, Debug)]
pub struct Harness {
    /// The name, which is also that of its folder in `corpus/` and `regressions/`.
    pub name: &'static str,
    /// The property that it checks, in one line.
    pub about: &'static str,
    /// The function, which panics if a property does not hold for these bytes. It is deterministic.
    pub run: fn(&[u8]),
    /// The longest useful input, in bytes.
    pub max_len: usize,
}

macro_rules! harnesses {
    ($($name:literal, $max_len:literal, $run:path, $about:literal;)*) => {
        /// Every harness, sorted by name.
        pub const HARNESSES: &[Harness] =
            &[$(Harness { name: $name, about: $about, run: $run, max_len: $max_len }),*];
    };
}

harnesses! {
    "api_body", 4096, api::body, "JSON bodies: what is read is written back and read the same";
    "api_query", 1024, api::query, "query strings: what is read is written back and read the same";
    "api_request", 2048, api::request, "HTTP requests: answered, and errors by code, message and hint";
    "api_store", 2048, api_store::requests, "HTTP requests to a real engine: no row that the store refuses";
    "chain_replies", 4096, chain::replies, "answers of bitcoind, esplora and electrum servers";
    "channel_hostile", 2048, channel::hostile, "one channel against a peer that has its key and no scruples";
    "channel_honest", 1024, channel::honest, "two channels over a lossy link end in agreement";
    "channel_record", 8192, channel::record, "stored channels: refused, or restored and stored the same";
    "channel_rough", 1024, channel::rough, "the same with suspensions, time-outs and overrides";
    "cli_amount", 64, settings::amount, "amounts as people type them";
    "config_file", 4096, settings::file, "steward.toml: a clear error, or a configuration that survives rewriting";
    "config_flags", 1024, settings::flags, "flags and environment variables, as configuration";
    "engine_frames", 4096, engine::frames, "an engine with open channels against frames and operators";
    "funded_messages", 2048, funded::messages, "a funded channel against a funder that has its key and no scruples";
    "funded_record", 8192, funded::record, "stored funded channels: refused, or restored and stored the same";
    "invoice_build", 1024, invoice::build_and_parse, "what is built can be read and says the same";
    "invoice_fields", 2048, invoice::fields, "invoices of any fields, with a valid checksum";
    "invoice_text", 4096, invoice::text, "any text as an invoice";
    "onion_blinded", 1024, onion::blinded, "any recipient data in a blinded path";
    "onion_failure", 4096, onion::failure, "failures and attribution data, read and wrapped";
    "onion_packet", 1600, onion::packet, "any bytes as an onion";
    "onion_payload", 1024, onion::payload, "any payload in an authentic onion";
    "onion_route", 1024, onion::route, "onions for any route, peeled by every hop";
    "p2p_address", 512, p2p::address, "addresses of peers";
    "p2p_handshake", 4096, p2p::handshake, "raw bytes to both ends of a connection";
    "p2p_messages", 4096, p2p::messages, "messages of a peer that has finished the handshake";
    "p2p_roles", 4096, p2p::roles, "the same of a bridge peer or a peer of gossip";
    "resolver_blob", 4096, resolver::blob, "stored blobs of dying channels: read, or refused";
    "resolver_record", 2048, resolver::record, "a channel's record of any content, its death and any chain after it";
    "store_blob", 2048, store::blob, "versioned blobs of the database: canonical, or refused";
    "wire_body", 8192, wire::body, "bodies of every message type";
    "wire_channel", 8192, wire::channel, "messages of funded channels, byte for byte";
    "wire_framing", 8192, wire::framing, "frames of one connection, in both framings";
    "wire_gossip", 2048, wire::gossip, "channel_update and channel_announcement";
    "wire_onchain", 2048, wire::onchain, "preimages in scripts and transactions";
    "wire_state", 8192, wire::state, "signed states and snapshots";
    "wire_text", 1024, wire::text, "ids and error codes as text";
    "wire_tlv", 4096, wire::tlv, "TLV streams, BigSize and feature bits";
}

/// Returns the harness of this name.
pub fn find(name: &str) -> Option<&'static Harness> {
    HARNESSES.iter().find(|harness| harness.name == name)
}
