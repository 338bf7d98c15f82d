//! Following a chain block by block, against servers that show it as bitcoind, btcd and esplora do.

mod support;

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash, Network, ScriptBuf, TxMerkleNode, Witness};
use steward_chain::limits::{MAX_BLOCK_BYTES, POSITION_BLOCKS};
use steward_chain::{
    BlockScan, ChainError, ChainEvent, Lie, Position, Scan, Scanner, Watched, first_position,
};
use support::Reply;
use support::ledger::{
    ALL, Dialect, Ledger, first_output, make_block, open_script, seal, spend, work,
};

const REGTEST: Network = Network::Regtest;

/// What a liar makes of a block.
type Tamper = fn(Block) -> Block;

/// Begins at `height` of the chain, as `dialect` shows it.
fn scanner(ledger: &Ledger, dialect: Dialect, height: u32) -> Scanner {
    let mut source = ledger.open(dialect);
    let position = first_position(source.as_mut(), REGTEST, Some(height)).unwrap();
    Scanner::new(source, position)
}

/// A short name of each event, until the scan has caught up.
fn events(scanner: &mut Scanner) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        match scanner.next_event().unwrap() {
            Scan::Event(scanned) => {
                assert_eq!(&scanned.position, scanner.position());
                names.push(match scanned.event {
                    ChainEvent::Connected { height, block } => {
                        assert_eq!(scanned.position.last().hash, block.block_hash());
                        format!("+{height}")
                    }
                    ChainEvent::Disconnected { fork, removed } => {
                        assert_eq!(scanned.position.last(), fork);
                        let heights = removed.iter().map(|block| format!("-{}", block.height));
                        format!("{} >{}", heights.collect::<String>(), fork.height)
                    }
                });
            }
            Scan::CaughtUp => return names,
            Scan::Behind { source_height } => {
                names.push(format!("behind at {source_height}"));
                return names;
            }
        }
    }
}

#[test]
fn every_block_since_the_position_is_reported_once_and_in_order() {
    for dialect in ALL {
        let ledger = Ledger::new(5);
        let mut scanner = scanner(&ledger, dialect, 2);
        assert_eq!(events(&mut scanner), ["+3", "+4", "+5"], "{dialect:?}");
        assert!(events(&mut scanner).is_empty());
        ledger.mine(1);
        assert_eq!(events(&mut scanner), ["+6"], "{dialect:?}");
        assert_eq!(scanner.position().last().hash, ledger.hash(6));
    }
}

#[test]
fn a_block_comes_whole() {
    for dialect in ALL {
        let ledger = Ledger::new(3);
        let mined = ledger.mine_with(&[spend(&[ledger.coin(1)], 1000, open_script())]);
        let mut scanner = scanner(&ledger, dialect, 3);
        let Scan::Event(scanned) = scanner.next_event().unwrap() else { panic!("no event") };
        assert_eq!(scanned.event, ChainEvent::Connected { height: 4, block: mined });
    }
}

#[test]
fn a_new_node_begins_at_the_tip() {
    let ledger = Ledger::new(5);
    let mut source = ledger.open(Dialect::Bitcoind);
    let position = first_position(source.as_mut(), REGTEST, None).unwrap();
    assert_eq!((position.last().height, position.last().hash), (5, ledger.hash(5)));
}

#[test]
fn a_node_that_ends_anywhere_continues_from_the_position_it_stored() {
    let ledger = Ledger::new(9);
    let mut stored = scanner(&ledger, Dialect::Bitcoind, 0).position().encode();
    let mut seen = Vec::new();
    loop {
        // A new process for each event.
        let position = Position::decode(REGTEST, &stored).unwrap();
        let mut scanner = Scanner::new(ledger.open(Dialect::Bitcoind), position);
        let Scan::Event(scanned) = scanner.next_event().unwrap() else { break };
        seen.push(scanned.position.last().height);
        stored = scanned.position.encode();
        if seen.len() == 6 {
            ledger.rewind(6);
            ledger.mine(8);
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
}

#[test]
fn a_reorg_is_reported_from_the_top_down_to_the_fork_and_up_again() {
    for (dialect, depth) in ALL.into_iter().zip([1, 6, 40]) {
        let ledger = Ledger::new(50);
        let mut scanner = scanner(&ledger, dialect, 3);
        events(&mut scanner);
        ledger.rewind(depth);
        ledger.mine(u32::try_from(depth).unwrap() + 1);
        let fork = 50 - depth;
        let gone = (fork + 1..=50).rev().map(|height| format!("-{height}")).collect::<String>();
        let mut expected = vec![format!("{gone} >{fork}")];
        expected.extend((fork + 1..=51).map(|height| format!("+{height}")));
        assert_eq!(events(&mut scanner), expected, "{dialect:?}");
    }
}

#[test]
fn a_reorg_while_the_node_was_away_is_reported() {
    let ledger = Ledger::new(20);
    let mut before = scanner(&ledger, Dialect::Esplora, 3);
    events(&mut before);
    let position = before.position().clone();
    ledger.rewind(2);
    ledger.mine(30);
    let mut after = Scanner::new(ledger.open(Dialect::Esplora), position);
    assert_eq!(events(&mut after).first().unwrap(), "-20-19 >18");
}

#[test]
fn a_shorter_branch_undoes_nothing_until_it_has_the_work() {
    for dialect in ALL {
        let ledger = Ledger::new(10);
        let mut scanner = scanner(&ledger, dialect, 3);
        events(&mut scanner);
        ledger.rewind(6);
        ledger.mine(5);
        assert_eq!(events(&mut scanner), ["behind at 9"], "{dialect:?}");
        ledger.mine(1);
        assert_eq!(events(&mut scanner)[0], "-10-9-8-7-6-5 >4", "{dialect:?}");
    }
}

#[test]
fn a_source_that_lags_undoes_nothing() {
    for dialect in ALL {
        let ledger = Ledger::new(10);
        let mut scanner = scanner(&ledger, dialect, 3);
        events(&mut scanner);
        let last = ledger.block(10);
        ledger.rewind(1);
        assert_eq!(events(&mut scanner), ["behind at 9"], "{dialect:?}");
        ledger.push(last);
        assert!(events(&mut scanner).is_empty(), "{dialect:?}");
    }
}

#[test]
fn a_reorg_below_all_that_is_remembered_is_an_error_and_undoes_nothing() {
    let ledger = Ledger::new(10);
    let mut scanner = scanner(&ledger, Dialect::Bitcoind, 6);
    events(&mut scanner);
    let position = scanner.position().clone();
    ledger.rewind(5);
    ledger.mine(9);
    let error = scanner.next_event().unwrap_err();
    assert!(matches!(error, ChainError::ReorgTooDeep { lowest: 6, .. }), "{error:?}");
    assert!(!error.is_fatal(), "the source may come back to the right chain");
    assert_eq!(scanner.position(), &position);
}

#[test]
fn a_reorg_as_deep_as_the_memory_is_followed() {
    let depth = POSITION_BLOCKS - 1;
    let ledger = Ledger::new(POSITION_BLOCKS as u32 + 5);
    let mut scanner = scanner(&ledger, Dialect::Bitcoind, 0);
    events(&mut scanner);
    assert_eq!(scanner.position().lowest(), 6);
    ledger.rewind(depth);
    ledger.mine(depth as u32 + 1);
    assert_eq!(events(&mut scanner).len(), 1 + depth + 1);
}

#[test]
fn a_source_that_is_down_loses_nothing() {
    for dialect in ALL {
        let ledger = Ledger::new(5);
        let mut scanner = scanner(&ledger, dialect, 2);
        let Scan::Event(_) = scanner.next_event().unwrap() else { panic!("no event") };
        ledger.state().instead = Some(Box::new(|_, _| Some(Reply::status(503, "starting"))));
        let error = scanner.next_event().unwrap_err();
        assert!(matches!(error, ChainError::Refused { code: 503, .. }), "{error:?}");
        ledger.state().instead = None;
        assert_eq!(events(&mut scanner), ["+4", "+5"], "{dialect:?}");
    }
}

#[test]
fn another_network_is_refused_for_good() {
    let ledger = Ledger::new(2);
    let error = first_position(ledger.open(Dialect::Bitcoind).as_mut(), Network::Signet, None);
    assert!(error.unwrap_err().is_fatal());
}

#[test]
fn another_network_behind_the_same_address_is_found_after_a_failure() {
    let ledger = Ledger::new(5);
    let mut scanner = scanner(&ledger, Dialect::Esplora, 2);
    scanner.next_event().unwrap();
    ledger.state().instead = Some(Box::new(|_, _| Some(Reply::status(502, ""))));
    scanner.next_event().unwrap_err();
    let signet = bitcoin::constants::genesis_block(Network::Signet).block_hash().to_string();
    ledger.state().instead = Some(Box::new(move |_, asked| {
        (asked == "/block-height/0").then(|| Reply::ok(signet.clone()))
    }));
    assert!(scanner.next_event().unwrap_err().is_fatal());
}

/// What the scan says to a source that shows its blocks changed by `shown_as`, from height 2 on.
fn lie(dialect: Dialect, shown_as: Tamper) -> Lie {
    let ledger = Ledger::new(2);
    // Three transactions: the last one twice has the same Merkle root.
    let spends = [1, 2].map(|height| spend(&[ledger.coin(height)], 1000, open_script()));
    ledger.mine_with(&spends);
    let mut scanner = scanner(&ledger, dialect, 2);
    ledger.state().shown_as = shown_as;
    let position = scanner.position().clone();
    let error = scanner.next_event().unwrap_err();
    assert_eq!(scanner.position(), &position, "nothing of it is used");
    assert!(!error.is_fatal());
    ledger.state().shown_as = |block| block;
    assert_eq!(events(&mut scanner), ["+3"], "and nothing is lost");
    let ChainError::Untrue { lie, .. } = error else { panic!("{error:?}") };
    lie
}

#[test]
fn a_block_that_was_tampered_with_is_not_believed() {
    let cases: [(Tamper, Lie); 8] = [
        (|_| bitcoin::constants::genesis_block(REGTEST), Lie::OtherBlock),
        (
            |mut block| {
                block.header.nonce += 1;
                block
            },
            Lie::OtherBlock,
        ),
        (
            |mut block| {
                block.txdata.pop();
                block
            },
            Lie::WrongTransactions,
        ),
        (
            |mut block| {
                let last = block.txdata.last().unwrap().clone();
                block.txdata.push(last);
                block
            },
            Lie::WrongTransactions,
        ),
        (
            |mut block| {
                block.txdata[1].input[0].witness = Witness::from_slice(&[[7; 32]]);
                block
            },
            Lie::WrongWitnesses,
        ),
        (
            |mut block| {
                for transaction in &mut block.txdata {
                    transaction.input[0].witness.clear();
                }
                block
            },
            Lie::WrongWitnesses,
        ),
        (
            |mut block| {
                block.txdata.clear();
                block
            },
            Lie::NoCoinbase,
        ),
        (
            |mut block| {
                block.txdata.remove(0);
                block
            },
            Lie::NoCoinbase,
        ),
    ];
    for (shown_as, expected) in cases {
        for dialect in ALL {
            assert_eq!(lie(dialect, shown_as), expected, "{dialect:?}");
        }
    }
}

/// What the scan says to a chain whose block 4 is `forged`.
fn forged(forge: impl Fn(&mut Block)) -> ChainError {
    let ledger = Ledger::new(20);
    let mut scanner = scanner(&ledger, Dialect::Bitcoind, 20);
    let mut block = make_block(&ledger.block(20).header, 21, 0, &[]);
    forge(&mut block);
    ledger.push(block);
    scanner.next_event().unwrap_err()
}

#[test]
fn a_block_that_no_miner_made_is_not_believed() {
    let no_work = forged(|block| {
        while block.header.validate_pow(block.header.target()).is_ok() {
            block.header.nonce += 1;
        }
    });
    let easy = forged(|block| {
        block.header.bits = bitcoin::CompactTarget::from_consensus(0x2100_ffff);
        work(&mut block.header);
    });
    let other_difficulty = forged(|block| {
        block.header.bits = bitcoin::CompactTarget::from_consensus(0x203f_ffff);
        work(&mut block.header);
    });
    let unconnected = forged(|block| {
        block.header.prev_blockhash = BlockHash::all_zeros();
        work(&mut block.header);
    });
    let wrong_height = forged(|block| {
        block.txdata[0].input[0].script_sig =
            bitcoin::script::Builder::new().push_int(20).push_slice([0; 8]).into_script();
        seal(block);
    });
    let unsealed = forged(|block| {
        block.header.merkle_root = TxMerkleNode::all_zeros();
        work(&mut block.header);
    });
    let two_coinbases = forged(|block| {
        let mut second = block.txdata[0].clone();
        second.output.truncate(1);
        block.txdata.push(second);
        seal(block);
    });
    let uncommitted = forged(|block| {
        block.txdata[0].output.truncate(1);
        block.txdata.push(spend(&[first_output(&block.txdata[0])], 1000, open_script()));
        seal(block);
    });
    let found = [
        two_coinbases,
        uncommitted,
        no_work,
        easy,
        other_difficulty,
        unconnected,
        wrong_height,
        unsealed,
    ]
    .map(|error| {
        let ChainError::Untrue { lie, .. } = error else { panic!("{error:?}") };
        lie
    });
    let expected = [
        Lie::NoCoinbase,
        Lie::WrongWitnesses,
        Lie::NoProofOfWork,
        Lie::WrongDifficulty,
        Lie::WrongDifficulty,
        Lie::DoesNotConnect,
        Lie::WrongHeight,
        Lie::WrongTransactions,
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_longer_branch_without_work_undoes_nothing() {
    let ledger = Ledger::new(10);
    let mut scanner = scanner(&ledger, Dialect::Bitcoind, 3);
    events(&mut scanner);
    ledger.rewind(6);
    for height in 5..20 {
        let below = ledger.block(height - 1).header;
        let mut block = make_block(&below, height, 99, &[]);
        if height == 7 {
            while block.header.validate_pow(block.header.target()).is_ok() {
                block.header.nonce += 1;
            }
        }
        ledger.push(block);
    }
    let error = scanner.next_event().unwrap_err();
    assert!(matches!(error, ChainError::Untrue { lie: Lie::NoProofOfWork, .. }), "{error:?}");
    assert_eq!(scanner.position().last().height, 10);
}

#[test]
fn a_pruned_block_is_named() {
    for dialect in ALL {
        let ledger = Ledger::new(5);
        ledger.state().pruned_to = Some(3);
        let error = scanner(&ledger, dialect, 2).next_event().unwrap_err();
        let ChainError::BlockMissing { height, hash, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*height, *hash), (3, ledger.hash(3)));
        assert!(error.hint().contains("pruned"));
    }
}

#[test]
fn a_block_larger_than_any_is_not_read_to_its_end() {
    let ledger = Ledger::new(5);
    let mut bitcoind = scanner(&ledger, Dialect::Bitcoind, 2);
    let mut esplora = scanner(&ledger, Dialect::Esplora, 2);
    ledger.state().instead = Some(Box::new(|_, asked| {
        let is_block = asked == "getblock" || asked.ends_with("/raw");
        is_block.then(|| Reply::ok(vec![b'0'; 2 * MAX_BLOCK_BYTES + 1_000_000]))
    }));
    for scanner in [&mut bitcoind, &mut esplora] {
        let error = scanner.next_event().unwrap_err();
        assert!(matches!(error, ChainError::TooLarge { .. }), "{error:?}");
    }
}

#[test]
fn a_chain_that_changes_between_two_questions_is_followed_all_the_same() {
    let ledger = Ledger::new(10);
    let mut scanner = scanner(&ledger, Dialect::Bitcoind, 3);
    events(&mut scanner);
    ledger.mine(1);
    // After the tip was shown, and before the block above ours is asked for.
    let mut is_due = true;
    ledger.state().instead = Some(Box::new(move |state, asked| {
        if asked == "getblockhash" && std::mem::take(&mut is_due) {
            state.rewind(3);
            for _ in 0..5 {
                state.mine_with(&[]);
            }
        }
        None
    }));
    let found = events(&mut scanner);
    assert_eq!(found, ["-10-9 >8", "+9", "+10", "+11", "+12", "+13"]);
}

#[test]
fn a_chain_that_shrinks_between_two_questions_undoes_nothing() {
    let ledger = Ledger::new(10);
    let mut scanner = scanner(&ledger, Dialect::Esplora, 10);
    ledger.mine(2);
    let mut is_due = true;
    ledger.state().instead = Some(Box::new(move |state, asked| {
        if asked.starts_with("/block-height") && asked.ends_with("11") {
            state.rewind(if std::mem::take(&mut is_due) { 2 } else { 0 });
        }
        None
    }));
    assert!(events(&mut scanner).is_empty());
}

#[test]
fn a_spend_of_an_output_that_is_watched_only_because_of_the_same_block_is_found() {
    let ledger = Ledger::new(3);
    let commitment = spend(&[ledger.coin(1)], 900_000, open_script());
    let second_stage = spend(&[first_output(&commitment)], 800_000, open_script());
    let third_stage = spend(&[first_output(&second_stage)], 700_000, open_script());
    let stranger = spend(&[ledger.coin(2)], 1000, ScriptBuf::new());
    ledger.mine_with(&[commitment.clone(), stranger, second_stage.clone(), third_stage.clone()]);
    let mut scanner = scanner(&ledger, Dialect::Bitcoind, 3);
    let Scan::Event(scanned) = scanner.next_event().unwrap() else { panic!("no event") };
    let ChainEvent::Connected { block, .. } = &scanned.event else { panic!("no block") };
    let mut watched = Watched::default();
    watched.watch_outpoint(ledger.coin(1)).unwrap();
    let mut scan = BlockScan::new(block);
    let mut seen = Vec::new();
    loop {
        let found = scan.find(&mut watched).unwrap();
        if found.is_empty() {
            break;
        }
        for (index, transaction) in found {
            seen.push(index);
            // As a monitor does: what a commitment pays is watched from now on.
            watched.watch_outpoint(first_output(transaction)).unwrap();
        }
    }
    assert_eq!(seen, [1, 3, 4]);
}

#[test]
fn a_header_of_another_block_or_none_is_no_branch() {
    let genesis = serialize_hex(&bitcoin::constants::genesis_block(REGTEST).header);
    let cases =
        [(Reply::ok(genesis), Lie::OtherBlock), (Reply::status(404, ""), Lie::UnknownBlock)];
    for (reply, expected) in cases {
        let ledger = Ledger::new(10);
        let mut scanner = scanner(&ledger, Dialect::Esplora, 3);
        events(&mut scanner);
        ledger.rewind(2);
        ledger.mine(3);
        let Reply { status, body } = reply;
        ledger.state().instead = Some(Box::new(move |_, asked| {
            asked.ends_with("/header").then(|| Reply { status, body: body.clone() })
        }));
        let first = first_position(ledger.open(Dialect::Esplora).as_mut(), REGTEST, Some(3));
        for error in [scanner.next_event().unwrap_err(), first.unwrap_err()] {
            let ChainError::Untrue { lie, .. } = error else { panic!("{error:?}") };
            assert_eq!(lie, expected);
        }
        assert_eq!(scanner.position().last().height, 10);
    }
}

#[test]
fn a_branch_that_is_replaced_while_its_work_is_counted_is_left() {
    let ledger = Ledger::new(10);
    let mut scanner = scanner(&ledger, Dialect::Esplora, 3);
    events(&mut scanner);
    ledger.rewind(6);
    ledger.mine(7);
    let mut headers = 0;
    ledger.state().instead = Some(Box::new(move |state, asked| {
        headers += i32::from(asked.ends_with("/header"));
        if headers == 2 && asked.ends_with("/header") {
            state.rewind(7);
            for _ in 0..8 {
                state.mine_with(&[]);
            }
        }
        None
    }));
    let found = events(&mut scanner);
    assert_eq!((found[0].as_str(), found.len()), ("-10-9-8-7-6-5 >4", 9));
    assert_eq!(scanner.position().last().hash, ledger.hash(12));
}
