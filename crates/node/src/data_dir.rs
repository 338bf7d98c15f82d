//! The data directory: locked, with a seed and a database that belong together.

use std::path::{Path, PathBuf};

use steward_chain::network_name;
use steward_engine::Error;
use steward_store::sqlite::FILE_NAME;
use steward_store::{DirLock, OpenMode, Owner, SqliteStore, Store, StoreError};

use crate::config::Config;
use crate::error::store_error;
use crate::keys::NodeKeys;
use crate::seed::{SEED_FILE, Seed, SeedError};

/// Makes a new data directory: seed and empty database. `words` restores a seed, otherwise a new
/// one is made. A seed that is there already must be the same: then only the database is made,
/// for those who have lost it for good.
///
/// # Errors
/// `data_dir_locked`, `seed_exists` if there is another seed, `file_exists` if there is a
/// database, or whatever the disk says.
pub fn initialize(config: &Config, words: Option<&str>) -> Result<Seed, Error> {
    let dir = &config.node.data_dir;
    let lock = lock(dir)?;
    let path = database(dir);
    if path.exists() {
        return Err(store_error(&StoreError::AlreadyExists { path }));
    }
    let (seed, mut store) = make(config, lock, words)?;
    store.close().map_err(|error| store_error(&error))?;
    Ok(seed)
}

/// Opens the data directory; makes it if it is not there or empty.
pub(crate) fn open(config: &Config) -> Result<(Seed, SqliteStore), Error> {
    let dir = &config.node.data_dir;
    let lock = lock(dir)?;
    match Seed::load(dir) {
        Ok(seed) => {
            let store = SqliteStore::open(lock, OpenMode::Existing, &owner(config, &seed))
                .map_err(|error| store_error(&error))?;
            Ok((seed, store))
        }
        // A database without its seed is somebody's money: no new seed beside it.
        Err(SeedError::Missing { .. }) if !database(dir).exists() => make(config, lock, None),
        Err(error) => Err(error.into()),
    }
}

fn make(config: &Config, lock: DirLock, words: Option<&str>) -> Result<(Seed, SqliteStore), Error> {
    let dir = &config.node.data_dir;
    let wanted = words.map(Seed::from_words).transpose()?;
    let seed = match (Seed::load(dir), wanted) {
        (Ok(stored), Some(wanted)) if stored.words() == wanted.words() => stored,
        (Ok(_), _) => return Err(SeedError::Exists { path: dir.join(SEED_FILE) }.into()),
        (Err(SeedError::Missing { .. }), wanted) => {
            let seed = wanted.map_or_else(Seed::generate, Ok)?;
            seed.create(dir)?;
            seed
        }
        (Err(error), _) => return Err(error.into()),
    };
    let store = SqliteStore::open(lock, OpenMode::Create, &owner(config, &seed))
        .map_err(|error| store_error(&error))?;
    Ok((seed, store))
}

fn lock(dir: &Path) -> Result<DirLock, Error> {
    DirLock::acquire(dir).map_err(|error| store_error(&error))
}

/// Where the database of a data directory is.
pub fn database(dir: &Path) -> PathBuf {
    dir.join(FILE_NAME)
}

/// Whose database it is.
pub(crate) fn owner(config: &Config, seed: &Seed) -> Owner {
    Owner {
        network: network_name(config.node.network).to_owned(),
        node_id: NodeKeys::new(seed, config.node.network).node_id(),
    }
}
