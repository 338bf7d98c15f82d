//! A replacement for the chain on regtest, without blocks: a height that rises with time or on
//! command.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bitcoin::{BlockHash, Network};
use steward_wire::Preimage;

use crate::error::ChainError;
use crate::file::{read_small_file_if_present, refusal};
use crate::limits::{MAX_HEIGHT, MAX_HEIGHT_FILE_BYTES};
use crate::source::{BlockSource, ChainSource, Tip};
use crate::tracker::Moment;

/// Reads the time in seconds since 1970. Callers pass it in so that tests control it.
pub type UnixClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Returns the machine's own clock.
pub fn system_clock() -> UnixClock {
    Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// Both clocks of a watcher. Callers pass them in so that tests control them.
#[derive(Clone)]
pub struct Clocks {
    /// The seconds since 1970, as the machine believes.
    pub unix_s: UnixClock,
    /// The milliseconds on a clock that cannot be set and that counts sleep.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl Clocks {
    /// Reads both clocks.
    pub fn now(&self) -> Moment {
        Moment { unix_s: (self.unix_s)(), now_ms: (self.now_ms)() }
    }
}

/// The regtest clock: a chain source without blocks.
pub struct ClockSource {
    pace: Pace,
    clock: UnixClock,
}

enum Pace {
    Steady { start_height: u32, start_unix: u64, seconds_per_block: u64 },
    File { path: PathBuf, start_height: u32 },
    Manual(Arc<AtomicU32>),
}

/// Sets the height of a [`ClockSource::manual`] clock, from any thread.
#[derive(Debug, Clone)]
pub struct HeightHandle(Arc<AtomicU32>);

impl HeightHandle {
    /// Sets the height from now on.
    pub fn set(&self, height: u32) {
        self.0.store(height, Ordering::Release);
    }
}

impl ClockSource {
    /// Makes a clock that rises by one each `seconds_per_block` from `start_height` at
    /// `start_unix`. Nodes with the same three numbers agree on the height.
    pub fn steady(
        start_height: u32,
        start_unix: u64,
        seconds_per_block: u64,
        clock: UnixClock,
    ) -> Self {
        Self { pace: Pace::Steady { start_height, start_unix, seconds_per_block }, clock }
    }

    /// Makes a clock that follows the decimal number in the file at `path`, and stays at
    /// `start_height` until that file exists.
    pub fn by_file(path: PathBuf, start_height: u32, clock: UnixClock) -> Self {
        Self { pace: Pace::File { path, start_height }, clock }
    }

    /// Makes a clock that stays at `height` until the handle sets another.
    pub fn manual(height: u32, clock: UnixClock) -> (Self, HeightHandle) {
        let shared = Arc::new(AtomicU32::new(height));
        (Self { pace: Pace::Manual(Arc::clone(&shared)), clock }, HeightHandle(shared))
    }

    fn height(&self) -> Result<u32, ChainError> {
        match &self.pace {
            Pace::Steady { start_height, start_unix, seconds_per_block } => {
                let elapsed_s = (self.clock)().saturating_sub(*start_unix);
                let blocks = elapsed_s.checked_div(*seconds_per_block).unwrap_or(0);
                let height = u64::from(*start_height).saturating_add(blocks);
                Ok(u32::try_from(height).unwrap_or(MAX_HEIGHT).min(MAX_HEIGHT))
            }
            Pace::File { path, start_height } => {
                let Some(text) = read_small_file_if_present(path, MAX_HEIGHT_FILE_BYTES)? else {
                    return Ok(*start_height);
                };
                text.trim().parse().ok().filter(|height| *height <= MAX_HEIGHT).ok_or_else(|| {
                    refusal(path, format!("it must hold one number from 0 to {MAX_HEIGHT}"))
                })
            }
            Pace::Manual(height) => Ok(height.load(Ordering::Acquire)),
        }
    }
}

impl ChainSource for ClockSource {
    fn describe(&self) -> String {
        match &self.pace {
            Pace::Steady { seconds_per_block, .. } => {
                format!("the regtest clock, a block each {seconds_per_block} s")
            }
            Pace::File { path, .. } => format!("the regtest clock in {}", path.display()),
            Pace::Manual(_) => "the regtest clock, set by hand".to_owned(),
        }
    }

    fn tip(&mut self) -> Result<Tip, ChainError> {
        Ok(Tip { height: self.height()?, hash: None, time_unix: (self.clock)() })
    }

    fn block_hash_at(&mut self, _height: u32) -> Result<Option<BlockHash>, ChainError> {
        Ok(None)
    }

    fn check_network(&mut self, expected: Network) -> Result<(), ChainError> {
        if expected == Network::Regtest {
            return Ok(());
        }
        Err(ChainError::config(
            "the regtest clock knows no real blocks",
            "Configure bitcoind, esplora or electrum as the chain source.",
        ))
    }
}

impl BlockSource for ClockSource {
    fn preimages_at(&mut self, _height: u32) -> Result<Option<Vec<Preimage>>, ChainError> {
        // There are no blocks in which anything could be published.
        Ok(Some(Vec::new()))
    }
}
