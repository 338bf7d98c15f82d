//! Follows a source's best chain block by block: each block once, in order, each checked; on a reorg
//! first what left the chain. `position` decides; here are the questions to the source.

use bitcoin::block::Header;
use bitcoin::{Block, Network};

use crate::bridge::BridgeSource;
use crate::error::ChainError;
use crate::lie::Lie;
use crate::limits::{MAX_BRANCH_HEADERS, MAX_SCAN_RESTARTS};
use crate::position::{BlockId, Position};
use crate::proof::check_block;

/// What happened to the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainEvent {
    /// A block joined the best chain. It is whole: header, transactions and witnesses were checked.
    Connected {
        /// Its height.
        height: u32,
        /// The block.
        block: Block,
    },
    /// Blocks left the best chain. Others with at least as much work follow as further events.
    Disconnected {
        /// The last block that is still in it.
        fork: BlockId,
        /// The blocks that left it, the highest first.
        removed: Vec<BlockId>,
    },
}

/// An event, and the position after it. Both belong into one batch of the store: then nothing is
/// lost or missed when the process ends anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// The event.
    pub event: ChainEvent,
    /// The position from which to continue.
    pub position: Position,
}

/// The answer to a question for the next event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scan {
    /// Something happened. There may be more: ask again at once.
    Event(Box<Scanned>),
    /// Every block up to the source's tip was an event.
    CaughtUp,
    /// The source's chain has less work than the one that was followed: it lags, or it is on
    /// another branch. Nothing is undone for it.
    Behind {
        /// The height of the source's tip.
        source_height: u32,
    },
}

/// Follows a source's best chain from a position.
pub struct Scanner {
    source: Box<dyn BridgeSource>,
    position: Position,
    /// True if the source's network was checked since its last failure.
    network_checked: bool,
}

impl Scanner {
    /// Continues from `position`, which was stored with the last event.
    pub fn new(source: Box<dyn BridgeSource>, position: Position) -> Self {
        Self { source, position, network_checked: false }
    }

    /// Returns the position after the last event.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Names the source for logs and errors.
    pub fn describe(&self) -> String {
        self.source.describe()
    }

    /// Returns the next event, if there is one. It blocks for a bounded time. After an error
    /// the scan stands where it stood, and the next call tries again.
    ///
    /// # Errors
    /// What kept the source from answering; [`ChainError::Untrue`] if it lies;
    /// [`ChainError::ReorgTooDeep`]; [`ChainError::BlockMissing`].
    pub fn next_event(&mut self) -> Result<Scan, ChainError> {
        if !self.network_checked {
            self.source.check_network(self.position.network())?;
        }
        let scan = self.look();
        // The next answer may come from another server at the same address.
        self.network_checked = scan.is_ok();
        scan
    }

    fn look(&mut self) -> Result<Scan, ChainError> {
        for _ in 0..MAX_SCAN_RESTARTS {
            if let Some(scan) = self.try_once()? {
                return Ok(scan);
            }
        }
        Err(self.untrue(Lie::DoesNotConnect))
    }

    /// Returns `None` if the chain changed between two questions.
    fn try_once(&mut self) -> Result<Option<Scan>, ChainError> {
        let tip = self.source.tip()?;
        let last = self.position.last();
        if tip.hash == Some(last.hash) {
            return Ok(Some(Scan::CaughtUp));
        }
        if tip.height > last.height {
            return self.extend(tip.height);
        }
        // A tip below all that is remembered cannot have more work, whatever its branch.
        let is_ours = self.position.hash_at(tip.height).is_some_and(|hash| Some(hash) == tip.hash);
        if is_ours || tip.height < self.position.lowest() {
            return Ok(Some(Scan::Behind { source_height: tip.height }));
        }
        self.reorganise(tip.height)
    }

    /// Takes the block above the position, or finds that the chain forked below.
    fn extend(&mut self, tip_height: u32) -> Result<Option<Scan>, ChainError> {
        let height = self.position.last().height.saturating_add(1);
        let Some(hash) = self.source.block_hash_at(height)? else { return Ok(None) };
        let Some(block) = self.source.block(hash)? else {
            let endpoint = self.source.describe();
            return Err(ChainError::BlockMissing { endpoint, height, hash });
        };
        if block.block_hash() != hash {
            return Err(self.untrue(Lie::OtherBlock));
        }
        if block.header.prev_blockhash != self.position.last().hash {
            return self.reorganise(tip_height);
        }
        check_block(self.position.network(), height, hash, &block)
            .map_err(|lie| self.untrue(lie))?;
        self.connect(&block.header)?;
        Ok(Some(self.event(ChainEvent::Connected { height, block })))
    }

    fn connect(&mut self, header: &Header) -> Result<(), ChainError> {
        let connected = self.position.connect(header);
        connected.map_err(|lie| self.untrue(lie))
    }

    /// Goes back to the fork if the source's branch has at least the work of ours.
    fn reorganise(&mut self, tip_height: u32) -> Result<Option<Scan>, ChainError> {
        let Some(fork) = self.find_fork(tip_height)? else {
            let lowest = self.position.lowest();
            return Err(ChainError::ReorgTooDeep { endpoint: self.source.describe(), lowest });
        };
        let ours = self.position.work_above(fork.last().height);
        let mut branch = fork.clone();
        let highest = fork.last().height.saturating_add(MAX_BRANCH_HEADERS).min(tip_height);
        while branch.work_above(fork.last().height) < ours {
            let height = branch.last().height.saturating_add(1);
            if height > highest {
                return Ok(Some(Scan::Behind { source_height: tip_height }));
            }
            let Some(header) = self.header_at(height)? else { return Ok(None) };
            match branch.connect(&header) {
                Ok(()) => {}
                Err(Lie::DoesNotConnect) => return Ok(None),
                Err(lie) => return Err(self.untrue(lie)),
            }
        }
        let removed = self.position.above(fork.last().height);
        if removed.is_empty() {
            // The chain changed back between two questions.
            return Ok(None);
        }
        self.position = fork.clone();
        Ok(Some(self.event(ChainEvent::Disconnected { fork: fork.last(), removed })))
    }

    /// Returns the position at the highest block that the source's chain shares with ours, or `None`
    /// if everything that is remembered has left it.
    fn find_fork(&mut self, tip_height: u32) -> Result<Option<Position>, ChainError> {
        // Heights up to `shared` are in both chains, those from `other` on are not.
        let mut other = self.position.last().height.min(tip_height).saturating_add(1);
        let mut shared = None;
        let mut low = self.position.lowest();
        while low < other {
            let middle = low + (other - low) / 2;
            if self.source.block_hash_at(middle)? == self.position.hash_at(middle) {
                shared = Some(middle);
                low = middle.saturating_add(1);
            } else {
                other = middle;
            }
        }
        Ok(shared.and_then(|height| self.position.cut(height)))
    }

    fn header_at(&mut self, height: u32) -> Result<Option<Header>, ChainError> {
        let Some(hash) = self.source.block_hash_at(height)? else { return Ok(None) };
        let header = self.source.header(hash)?.ok_or_else(|| self.untrue(Lie::UnknownBlock))?;
        if header.block_hash() != hash {
            return Err(self.untrue(Lie::OtherBlock));
        }
        Ok(Some(header))
    }

    fn event(&self, event: ChainEvent) -> Scan {
        Scan::Event(Box::new(Scanned { event, position: self.position.clone() }))
    }

    fn untrue(&self, lie: Lie) -> ChainError {
        ChainError::untrue(&self.source.describe(), lie)
    }
}

/// Returns the first position of a node that has none: the source's tip, or the block at `height`
/// if older blocks have to be searched. What is at or below it is never looked at, so `height` is the
/// one before the first block that can matter.
///
/// # Errors
/// As [`Scanner::next_event`]; [`ChainError::Malformed`] if the source has no block at `height`.
pub fn first_position(
    source: &mut dyn BridgeSource,
    network: Network,
    height: Option<u32>,
) -> Result<Position, ChainError> {
    source.check_network(network)?;
    let endpoint = source.describe();
    let height = match height {
        Some(height) => height,
        None => source.tip()?.height,
    };
    let hash = source
        .block_hash_at(height)?
        .ok_or_else(|| ChainError::malformed(&endpoint, format!("it has no block {height}")))?;
    let header =
        source.header(hash)?.ok_or_else(|| ChainError::untrue(&endpoint, Lie::UnknownBlock))?;
    if header.block_hash() != hash {
        return Err(ChainError::untrue(&endpoint, Lie::OtherBlock));
    }
    Position::start(network, height, &header).map_err(|lie| ChainError::untrue(&endpoint, lie))
}
