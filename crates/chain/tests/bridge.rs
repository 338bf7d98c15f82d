//! Broadcast, packages, feerates and the check of an output, against servers that answer as
//! bitcoind, btcd and esplora do.

mod support;

use bitcoin::{Amount, Network, OutPoint, ScriptBuf, Transaction};
use steward_chain::limits::{MAX_FEERATE_PER_KW, MAX_PACKAGE_TRANSACTIONS, MIN_FEERATE_PER_KW};
use steward_chain::{ChainConfig, ChainError, FeerateOrigin, NotTaken, SourceKind};
use support::Reply;
use support::ledger::{ALL, Dialect, Ledger, first_output, open_script, spend};

/// The value of each coin of the ledger, in satoshi.
const COIN_SAT: u64 = 5_000_000_000;

fn paying(ledger: &Ledger, height: u32, fee_sat: u64) -> Transaction {
    spend(&[ledger.coin(height)], COIN_SAT - fee_sat, open_script())
}

fn reason(error: &ChainError) -> NotTaken {
    match error {
        ChainError::NotTaken { reason, .. } | ChainError::NoPackages { reason, .. } => *reason,
        other => panic!("{other:?}"),
    }
}

/// A parent without a fee, as a commitment may be in a fee spike, and a child that pays for both.
fn family(ledger: &Ledger) -> [Transaction; 2] {
    let parent = paying(ledger, 1, 0);
    let child = spend(&[first_output(&parent)], COIN_SAT - 10_000, open_script());
    [parent, child]
}

#[test]
fn a_transaction_reaches_the_mempool_and_may_be_sent_again_until_it_is_buried() {
    for dialect in ALL {
        let ledger = Ledger::new(2);
        let mut source = ledger.open(dialect);
        let transaction = paying(&ledger, 1, 1000);
        source.broadcast(&transaction).unwrap();
        source.broadcast(&transaction).unwrap();
        assert_eq!(ledger.state().mempool, std::slice::from_ref(&transaction), "{dialect:?}");
        ledger.mine_with(std::slice::from_ref(&transaction));
        source.broadcast(&transaction).unwrap();
    }
}

#[test]
fn a_transaction_whose_input_is_spent_is_told_apart_where_the_source_tells_it() {
    for dialect in ALL {
        let ledger = Ledger::new(2);
        ledger.mine_with(&[paying(&ledger, 1, 1000)]);
        let error = ledger.open(dialect).broadcast(&paying(&ledger, 1, 2000)).unwrap_err();
        let expected = match dialect {
            Dialect::Esplora => NotTaken::Unknown,
            _ => NotTaken::MissingInputs,
        };
        assert_eq!(reason(&error), expected, "{dialect:?}");
        assert!(error.to_string().contains("bad-txns-inputs-missingorspent"), "{error}");
    }
}

#[test]
fn a_fee_below_the_minimum_is_a_broken_rule() {
    for dialect in [Dialect::Bitcoind, Dialect::Btcd] {
        let ledger = Ledger::new(2);
        let error = ledger.open(dialect).broadcast(&paying(&ledger, 1, 1)).unwrap_err();
        assert_eq!(reason(&error), NotTaken::Rule, "{dialect:?}");
        assert!(!error.is_fatal());
    }
}

#[test]
fn a_package_whose_child_pays_for_its_parent_is_taken_as_one() {
    for dialect in [Dialect::Bitcoind, Dialect::Esplora] {
        let ledger = Ledger::new(2);
        let package = family(&ledger);
        let mut source = ledger.open(dialect);
        source.broadcast_package(&package).unwrap();
        assert_eq!(ledger.state().mempool, package, "{dialect:?}");
        source.broadcast_package(&package).unwrap();
    }
}

#[test]
fn a_source_without_packages_says_which_transaction_does_not_pay_enough() {
    for dialect in ALL {
        let ledger = Ledger::new(2);
        ledger.state().takes_packages = false;
        let package = family(&ledger);
        let error = ledger.open(dialect).broadcast_package(&package).unwrap_err();
        let ChainError::NoPackages { txid, .. } = &error else { panic!("{dialect:?} {error:?}") };
        assert_eq!(*txid, package[0].compute_txid());
        assert!(error.hint().contains("Bitcoin Core 28"));
    }
}

#[test]
fn a_source_without_packages_takes_one_by_one_what_pays_by_itself() {
    for dialect in ALL {
        let ledger = Ledger::new(2);
        ledger.state().takes_packages = false;
        let parent = paying(&ledger, 1, 1000);
        let child = spend(&[first_output(&parent)], COIN_SAT - 3000, open_script());
        let package = [parent, child];
        ledger.open(dialect).broadcast_package(&package).unwrap();
        assert_eq!(ledger.state().mempool, package, "{dialect:?}");
    }
}

#[test]
fn a_package_whose_parent_is_in_a_block_already_is_taken() {
    for dialect in ALL {
        let ledger = Ledger::new(2);
        let package = family(&ledger);
        ledger.mine_with(&package[..1]);
        ledger.open(dialect).broadcast_package(&package).unwrap();
        assert_eq!(ledger.state().mempool, package[1..], "{dialect:?}");
    }
}

#[test]
fn a_package_that_pays_too_little_is_not_taken() {
    for dialect in [Dialect::Bitcoind, Dialect::Esplora] {
        let ledger = Ledger::new(2);
        let package = family(&ledger);
        ledger.state().minimum_sat_per_kvb = 1_000_000;
        let error = ledger.open(dialect).broadcast_package(&package).unwrap_err();
        let ChainError::NotTaken { txid, message, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*txid, package[0].compute_txid());
        assert!(message.contains("as a package: transaction failed"), "{message}");
    }
}

#[test]
fn packages_of_one_and_of_none_are_no_packages() {
    for dialect in ALL {
        let ledger = Ledger::new(2);
        ledger.state().takes_packages = false;
        let mut source = ledger.open(dialect);
        source.broadcast_package(&[]).unwrap();
        source.broadcast_package(&[paying(&ledger, 1, 1000)]).unwrap();
        assert_eq!(ledger.state().mempool.len(), 1);
    }
}

#[test]
fn what_no_node_relays_is_not_sent() {
    for dialect in ALL {
        let ledger = Ledger::new(2);
        let mut source = ledger.open(dialect);
        let large = spend(&[ledger.coin(1)], 1, ScriptBuf::from_bytes(vec![0; 100_001]));
        assert_eq!(reason(&source.broadcast(&large).unwrap_err()), NotTaken::TooLarge);
        let many = vec![paying(&ledger, 1, 1000); MAX_PACKAGE_TRANSACTIONS + 1];
        assert_eq!(reason(&source.broadcast_package(&many).unwrap_err()), NotTaken::TooLarge);
        assert!(ledger.state().asked.is_empty(), "{dialect:?}");
    }
}

#[test]
fn a_source_that_is_down_or_starting_gives_no_verdict_and_no_feerate() {
    let starting = r#"{"result":null,"error":{"code":-28,"message":"Verifying blocks"},"id":1}"#;
    for (dialect, body) in ALL.into_iter().flat_map(|dialect| [(dialect, ""), (dialect, starting)])
    {
        let ledger = Ledger::new(2);
        ledger.state().instead = Some(Box::new(|_, _| Some(Reply::status(503, body))));
        let mut source = ledger.open(dialect);
        let outpoint = ledger.coin(1);
        let errors = [
            source.broadcast(&paying(&ledger, 1, 1000)).unwrap_err(),
            source.broadcast_package(&family(&ledger)).unwrap_err(),
            source.feerate(3).unwrap_err(),
            source.unspent(outpoint).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, ChainError::Refused { .. }), "{dialect:?} {error:?}");
        }
    }
}

#[test]
fn one_method_of_a_source_that_has_just_been_restarted_gives_no_verdict_either() {
    let failing = |dialect: Dialect, method: &'static str| {
        let ledger = Ledger::new(2);
        ledger.state().instead = Some(Box::new(move |_, asked| {
            let body = r#"{"result":null,"error":{"code":-28,"message":"Verifying blocks"}}"#;
            (asked == method).then(|| Reply::status(500, body))
        }));
        let source = ledger.open(dialect);
        (ledger, source)
    };
    let (ledger, mut source) = failing(Dialect::Bitcoind, "sendrawtransaction");
    let sent = source.broadcast(&paying(&ledger, 1, 1000));
    let (ledger, mut source) = failing(Dialect::Bitcoind, "submitpackage");
    let package = source.broadcast_package(&family(&ledger));
    let (_, mut source) = failing(Dialect::Bitcoind, "getmempoolinfo");
    let minimum = source.feerate(3).map(drop);
    let (_, mut source) = failing(Dialect::Btcd, "estimatefee");
    let estimate = source.feerate(3).map(drop);
    for answer in [sent, package, minimum, estimate] {
        assert!(matches!(answer, Err(ChainError::Refused { code: -28, .. })), "{answer:?}");
    }
}

#[test]
fn the_id_of_another_transaction_is_no_success() {
    for dialect in ALL {
        let ledger = Ledger::new(2);
        let other = paying(&ledger, 2, 1000).compute_txid();
        ledger.state().instead = Some(Box::new(move |_, asked| match asked {
            "/tx" => Some(Reply::ok(other.to_string())),
            "sendrawtransaction" => Some(Reply::ok(format!("{{\"result\":\"{other}\"}}"))),
            _ => None,
        }));
        let error = ledger.open(dialect).broadcast(&paying(&ledger, 1, 1000)).unwrap_err();
        assert!(matches!(error, ChainError::Malformed { .. }), "{dialect:?} {error:?}");
    }
}

#[test]
fn a_feerate_is_the_estimate_in_satoshi_for_1000_weight_units() {
    for dialect in ALL {
        let ledger = Ledger::new(1);
        ledger.state().estimate_sat_per_kvb = Some(40_001);
        let feerate = ledger.open(dialect).feerate(3).unwrap();
        assert_eq!((feerate.per_kw, feerate.origin), (10_001, FeerateOrigin::Estimate));
    }
}

#[test]
fn a_feerate_is_never_below_what_the_mempool_asks() {
    for dialect in [Dialect::Bitcoind, Dialect::Btcd] {
        let ledger = Ledger::new(1);
        ledger.state().estimate_sat_per_kvb = Some(8_000);
        ledger.state().minimum_sat_per_kvb = 12_000;
        let feerate = ledger.open(dialect).feerate(3).unwrap();
        assert_eq!((feerate.per_kw, feerate.origin), (3_000, FeerateOrigin::Estimate));
    }
}

#[test]
fn without_an_estimate_a_feerate_is_the_minimum_and_says_so() {
    for dialect in ALL {
        let ledger = Ledger::new(1);
        ledger.state().minimum_sat_per_kvb = 12_000;
        let feerate = ledger.open(dialect).feerate(3).unwrap();
        let expected = match dialect {
            Dialect::Esplora => (MIN_FEERATE_PER_KW, FeerateOrigin::Floor),
            _ => (3_000, FeerateOrigin::MempoolMinimum),
        };
        assert_eq!((feerate.per_kw, feerate.origin), expected, "{dialect:?}");
    }
}

#[test]
fn a_feerate_has_bounds() {
    for dialect in ALL {
        let ledger = Ledger::new(1);
        for (estimate, expected) in [(u64::MAX, MAX_FEERATE_PER_KW), (1, MIN_FEERATE_PER_KW)] {
            ledger.state().estimate_sat_per_kvb = Some(estimate);
            ledger.state().minimum_sat_per_kvb = 1;
            // bitcoind's least relay fee is 250 satoshi for 1000 weight units here.
            assert_eq!(ledger.open(dialect).feerate(3).unwrap().per_kw, expected, "{dialect:?}");
        }
    }
}

#[test]
fn esplora_gives_the_estimate_of_the_nearest_earlier_target() {
    let ledger = Ledger::new(1);
    ledger.state().estimate_sat_per_kvb = Some(40_000);
    let mut source = ledger.open(Dialect::Esplora);
    let [first, middle, late] = [1, 100, 1000].map(|target| source.feerate(target).unwrap().per_kw);
    assert_eq!((first, middle, late), (20_000, 10_000, 1_000));
}

#[test]
fn an_output_shows_with_value_script_and_confirmations_until_a_block_spends_it() {
    for dialect in ALL {
        let ledger = Ledger::new(2);
        let funding = paying(&ledger, 1, 123_456_789);
        let outpoint = first_output(&funding);
        let mut source = ledger.open(dialect);
        assert_eq!(source.unspent(outpoint).unwrap(), None, "{dialect:?}: it does not exist");
        source.broadcast(&funding).unwrap();
        assert_eq!(source.unspent(outpoint).unwrap(), None, "{dialect:?}: it is in no block");
        ledger.mine_with(std::slice::from_ref(&funding));
        ledger.mine(2);
        let found = source.unspent(outpoint).unwrap().unwrap();
        assert_eq!(found.value, Amount::from_sat(COIN_SAT - 123_456_789));
        assert_eq!((found.script, found.confirmations), (open_script(), 3), "{dialect:?}");
        let missing = OutPoint { vout: 7, ..outpoint };
        assert_eq!(source.unspent(missing).unwrap(), None, "{dialect:?}");

        let close = spend(&[outpoint], 1000, open_script());
        source.broadcast(&close).unwrap();
        assert!(source.unspent(outpoint).unwrap().is_some(), "the mempool does not count");
        ledger.mine_with(&[close]);
        assert_eq!(source.unspent(outpoint).unwrap(), None, "{dialect:?}: it is spent");
    }
}

#[test]
fn sources_that_cannot_guard_funded_channels_are_refused_in_words() {
    let electrum = ChainConfig {
        source: Some(SourceKind::Electrum),
        url: Some("tcp://127.0.0.1:1".into()),
        ..ChainConfig::default()
    };
    for (config, name) in [(electrum, "electrum"), (ChainConfig::default(), "clock")] {
        let Err(error) = config.open_bridge(Network::Regtest) else { panic!("{name} opens") };
        assert!(error.to_string().ends_with(&format!("the source {name}")), "{error}");
        assert!(error.hint().contains("\"bitcoind\"") && error.is_fatal());
    }
}
