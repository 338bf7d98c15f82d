//! The way back from a backup: into a data directory that has the seed, while no node runs there.

use std::path::{Path, PathBuf};

use steward_engine::Error;
use steward_store::DirLock;
use steward_store::sqlite::{self, Over};

use crate::config::Config;
use crate::data_dir::{no_seed_to_restore_for, owner};
use crate::error::store_error;
use crate::seed::Seed;
use crate::seed_error::SeedError;

/// The outcome of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredBackup {
    /// The number of channels in it.
    pub channels: u64,
    /// The name under which the database that was there before is kept.
    pub set_aside: Option<PathBuf>,
}

/// Puts a copy of the backup `file` in the place of the database of `config.node.data_dir`. With
/// `replace` it does so even if there is one with channels, which is then kept under another name.
///
/// # Errors
/// `no_node` if there is no seed; `data_dir_locked`; `database_in_the_way`; or what makes the
/// backup unusable, such as `wrong_node` if it is not this seed's.
pub fn restore_backup(
    config: &Config,
    file: &Path,
    replace: bool,
) -> Result<RestoredBackup, Error> {
    let dir = &config.node.data_dir;
    let seed = Seed::load(dir).map_err(|error| match error {
        SeedError::Missing { .. } => no_seed_to_restore_for(dir),
        other => other.into(),
    })?;
    let lock = DirLock::acquire(dir).map_err(|error| store_error(&error))?;
    let over = if replace { Over::Anything } else { Over::Nothing };
    let restored = sqlite::restore(&lock, file, &owner(config, &seed), over)
        .map_err(|error| store_error(&error))?;
    Ok(RestoredBackup { channels: restored.verified.channels, set_aside: restored.set_aside })
}
