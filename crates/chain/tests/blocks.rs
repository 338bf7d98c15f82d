//! Published preimages: what bitcoind and esplora find in a block, and which answers are errors.

mod support;

use bitcoin::consensus::encode::{serialize, serialize_hex};
use bitcoin::{Block, ScriptBuf};
use serde_json::{Value, json};
use steward_chain::limits::{MAX_ANSWER_BYTES, MAX_BLOCK_BYTES};
use steward_chain::{BlockSource, ChainConfig, ChainError, ClockSource, Network, SourceKind};
use steward_wire::Preimage;
use steward_wire::onchain::preimage_scripts;
use support::{FakeChain, Reply, bitcoind_reply, esplora_reply, serve_http};

fn preimages(count: u8) -> Vec<Preimage> {
    (1..=count).map(|n| Preimage([n; 32])).collect()
}

/// Makes a chain of height 3 whose last block publishes `scripts`.
fn publishing(scripts: &[ScriptBuf]) -> FakeChain {
    let chain = FakeChain::new(Network::Regtest, 2);
    chain.mine_publishing(scripts, 0);
    chain
}

fn open(source: SourceKind, url: String) -> Option<Box<dyn BlockSource>> {
    let is_bitcoind = source == SourceKind::Bitcoind;
    let config = ChainConfig {
        source: Some(source),
        url: Some(url),
        user: is_bitcoind.then(|| "user".into()),
        password: is_bitcoind.then(|| "secret".to_owned().into()),
        ..ChainConfig::default()
    };
    config.open_blocks(Network::Regtest).unwrap()
}

/// Opens both kinds of source that can look into blocks.
fn following(chain: &FakeChain) -> [Box<dyn BlockSource>; 2] {
    showing(chain, |block| block)
}

/// Opens both, but they show the block that `change` makes of the right one.
fn showing(
    chain: &FakeChain,
    change: impl Fn(Block) -> Block + Clone + Send + 'static,
) -> [Box<dyn BlockSource>; 2] {
    let raw = move |chain: &FakeChain| serialize(&change(chain.block(3).unwrap()));
    sending(chain, raw)
}

/// Opens both, but they send any bytes instead of the block at height 3.
fn sending(
    chain: &FakeChain,
    raw: impl Fn(&FakeChain) -> Vec<u8> + Clone + Send + 'static,
) -> [Box<dyn BlockSource>; 2] {
    let (served, bytes) = (chain.clone(), raw.clone());
    let bitcoind = serve_http(move |request| {
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        match asked["method"] == "getblock" {
            true => Reply::ok(json!({"result": hex(&bytes(&served)), "id": 1}).to_string()),
            false => bitcoind_reply(&served, &request.body),
        }
    });
    let served = chain.clone();
    let esplora = serve_http(move |request| match request.path.ends_with("/raw") {
        true => Reply::ok(raw(&served)),
        false => esplora_reply(&served, &request.path),
    });
    [open(SourceKind::Bitcoind, bitcoind).unwrap(), open(SourceKind::Esplora, esplora).unwrap()]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn preimages_in_outputs_with_one_and_with_two_pushes_are_found() {
    let published = preimages(3);
    let scripts = preimage_scripts(&published);
    assert_eq!(scripts.iter().map(|script| script.len()).collect::<Vec<_>>(), [67, 34]);
    for mut source in following(&publishing(&scripts)) {
        let found = source.preimages_at(3).unwrap();
        assert_eq!(found, Some(published.clone()), "{}", source.describe());
    }
}

#[test]
fn preimages_of_several_transactions_are_found() {
    let chain = publishing(&preimage_scripts(&preimages(1)));
    let mut block = chain.block(3).unwrap();
    block.txdata.push(block.txdata[1].clone());
    block.txdata[2].output[0].script_pubkey = preimage_scripts(&[Preimage([9; 32])]).remove(0);
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    chain.replace_tip(block);
    for mut source in following(&chain) {
        let expected = vec![Preimage([1; 32]), Preimage([9; 32])];
        assert_eq!(source.preimages_at(3).unwrap(), Some(expected));
    }
}

#[test]
fn a_block_that_publishes_nothing_is_searched_with_no_result() {
    let other = ScriptBuf::new_op_return([7; 20]);
    for chain in [publishing(&[]), publishing(&[other])] {
        for mut source in following(&chain) {
            assert_eq!(source.preimages_at(3).unwrap(), Some(Vec::new()));
        }
    }
}

#[test]
fn a_block_that_is_not_there_yet_is_not_searched() {
    for mut source in following(&publishing(&[])) {
        assert_eq!(source.preimages_at(4).unwrap(), None);
    }
}

#[test]
fn after_a_reorg_the_new_block_is_searched() {
    let chain = publishing(&preimage_scripts(&preimages(1)));
    let mut sources = following(&chain);
    chain.rewind(1);
    chain.mine_publishing(&preimage_scripts(&[Preimage([8; 32])]), 1);
    for source in &mut sources {
        let found = source.preimages_at(3).unwrap();
        assert_eq!(found, Some(vec![Preimage([8; 32])]));
    }
}

#[test]
fn another_block_than_asked_for_is_malformed() {
    let chain = publishing(&[]);
    for mut source in sending(&chain, |chain| serialize(&chain.block(2).unwrap())) {
        let error = source.preimages_at(3).unwrap_err();
        assert!(matches!(error, ChainError::Malformed { .. }), "{error:?}");
    }
}

#[test]
fn a_block_without_one_of_its_transactions_is_malformed() {
    let chain = publishing(&preimage_scripts(&preimages(1)));
    let hide = |mut block: Block| {
        block.txdata.pop();
        block
    };
    for mut source in showing(&chain, hide) {
        let error = source.preimages_at(3).unwrap_err();
        assert!(matches!(error, ChainError::Malformed { .. }), "{error:?}");
    }
}

#[test]
fn bytes_that_are_no_whole_block_are_malformed() {
    let chain = publishing(&preimage_scripts(&preimages(2)));
    let whole = serialize(&chain.block(3).unwrap());
    let mut longer = whole.clone();
    longer.push(0);
    for bytes in [Vec::new(), b"<html>".to_vec(), whole[..whole.len() - 1].to_vec(), longer] {
        for mut source in sending(&chain, move |_| bytes.clone()) {
            let error = source.preimages_at(3).unwrap_err();
            assert!(matches!(error, ChainError::Malformed { .. }), "{error:?}");
        }
    }
}

#[test]
fn a_block_larger_than_other_answers_is_read() {
    let scripts = preimage_scripts(&vec![Preimage([5; 32]); 2 * MAX_ANSWER_BYTES / 32]);
    let chain = publishing(&scripts);
    assert!(serialize_hex(&chain.block(3).unwrap()).len() > 2 * MAX_ANSWER_BYTES);
    for mut source in following(&chain) {
        let Some(found) = source.preimages_at(3).unwrap() else { panic!() };
        assert_eq!(found.len(), 2 * MAX_ANSWER_BYTES / 32);
    }
}

#[test]
fn an_answer_longer_than_any_block_is_not_read_to_its_end() {
    // In hex, and with the JSON around it, bitcoind may send a little more than twice that.
    let too_long = |_: &FakeChain| vec![0; MAX_BLOCK_BYTES + MAX_ANSWER_BYTES];
    for mut source in sending(&publishing(&[]), too_long) {
        let error = source.preimages_at(3).unwrap_err();
        assert!(matches!(error, ChainError::TooLarge { .. }), "{error:?}");
    }
}

#[test]
fn a_block_that_bitcoind_has_pruned_is_an_error_and_no_search() {
    let chain = publishing(&[]);
    let url = serve_http(move |request| {
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        let body = r#"{"result":null,"error":{"code":-1,"message":"Block not available (pruned data)"},"id":1}"#;
        match asked["method"] == "getblock" {
            true => Reply::status(500, body),
            false => bitcoind_reply(&chain, &request.body),
        }
    });
    let error = open(SourceKind::Bitcoind, url).unwrap().preimages_at(3).unwrap_err();
    assert!(matches!(error, ChainError::Refused { code: -1, .. }), "{error:?}");
}

#[test]
fn a_block_that_esplora_does_not_have_is_an_error_and_no_search() {
    let chain = publishing(&[]);
    let url = serve_http(move |request| match request.path.ends_with("/raw") {
        true => Reply::status(404, "Block not found"),
        false => esplora_reply(&chain, &request.path),
    });
    let error = open(SourceKind::Esplora, url).unwrap().preimages_at(3).unwrap_err();
    assert!(matches!(error, ChainError::Malformed { .. }), "{error:?}");
}

#[test]
fn electrum_cannot_look_into_blocks() {
    assert!(open(SourceKind::Electrum, "tcp://127.0.0.1:1".to_owned()).is_none());
}

#[test]
fn the_regtest_clock_has_no_blocks_so_all_are_searched() {
    let (mut source, _) = ClockSource::manual(3, steward_chain::system_clock());
    assert_eq!(source.preimages_at(3).unwrap(), Some(Vec::new()));
}
