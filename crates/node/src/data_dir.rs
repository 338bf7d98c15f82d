//! The data directory: locked, with a seed and a database that belong together.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use steward_chain::network_name;
use steward_engine::{Code, Error};
use steward_store::sqlite::FILE_NAME;
use steward_store::{DirLock, InUse, OpenMode, Owner, SqliteStore, Store};

use crate::config::Config;
use crate::error::store_error;
use crate::keys::NodeKeys;
use crate::seed::{SEED_FILE, Seed};
use crate::seed_error::SeedError;

/// The file in which a running daemon writes where its API listens.
pub const API_ADDRESS_FILE: &str = "api-address";

/// The file in which a running daemon writes where it listens for peers, an address a line.
pub const LISTEN_ADDRESSES_FILE: &str = "listen-addresses";

/// Makes a new data directory: seed and empty database. `words` restores a seed, otherwise a new
/// one is made, and the node does not start before [`Seed::words_were_shown`] is told. A seed that
/// is there already must be the same: then only the database is made, for those who have lost it
/// for good.
///
/// # Errors
/// `seed_invalid`; `data_dir_unusable` if the directory cannot be made; `data_dir_locked`;
/// `node_exists` if there is a database, `seed_exists` if there is another seed, or the code of a
/// disk error.
pub fn initialize(config: &Config, words: Option<&str>) -> Result<Seed, Error> {
    let dir = &config.node.data_dir;
    // The words are read before anything is made: they are often mistyped.
    let wanted = words.map(Seed::from_words).transpose()?;
    make_dir(dir)?;
    let lock = lock(dir)?;
    let path = database(dir);
    if exists(&path)? {
        return Err(node_exists(&path));
    }
    let seed = match (Seed::load(dir), wanted) {
        (Ok(stored), Some(wanted)) if stored.words() == wanted.words() => stored,
        (Ok(_), _) => return Err(SeedError::Exists { path: dir.join(SEED_FILE) }.into()),
        (Err(SeedError::Missing { .. }), Some(wanted)) => {
            wanted.create(dir)?;
            wanted
        }
        (Err(SeedError::Missing { .. }), None) => {
            let seed = Seed::generate()?;
            seed.create_unshown(dir)?;
            seed
        }
        (Err(error), _) => return Err(error.into()),
    };
    let mut store = SqliteStore::open(lock, OpenMode::Create, &owner(config, &seed))
        .map_err(|error| store_error(&error))?;
    store.close().map_err(|error| store_error(&error))?;
    Ok(seed)
}

/// Opens the data directory of a node that was made before. Makes nothing: neither a directory
/// whose name was mistyped nor a seed whose words were not shown.
pub(crate) fn open(config: &Config) -> Result<(Seed, SqliteStore), Error> {
    let dir = &config.node.data_dir;
    if !exists(&dir.join(SEED_FILE))? && !exists(&database(dir))? {
        return Err(no_node(dir));
    }
    let lock = lock(dir)?;
    // A database without its seed is a person's money: no new seed is made beside it.
    let seed = Seed::load(dir)?;
    Seed::check_private(dir)?;
    Seed::check_shown(dir)?;
    let store = SqliteStore::open(lock, OpenMode::Existing, &owner(config, &seed))
        .map_err(|error| store_error(&error))?;
    Ok((seed, store))
}

/// True if there is a node in this directory, or a part of one.
pub fn is_made(dir: &Path) -> bool {
    dir.join(SEED_FILE).exists() || database(dir).exists()
}

/// Makes the directory itself, for our eyes only, and none above it: a parent that is not there is
/// a slip of the hand, or a disk that is not mounted.
fn make_dir(dir: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let problem = match builder.create(dir) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let above = dir.parent().unwrap_or(dir);
            format!("{} does not exist, so {} cannot be made in it", above.display(), dir.display())
        }
        Err(error) => format!("{} cannot be made: {error}", dir.display()),
    };
    Err(Error::new(Code::DataDirUnusable, problem).hint(
        "Check the path, and that its disk is mounted; or name another with --data-dir. Only the last directory of a path is made.",
    ))
}

fn lock(dir: &Path) -> Result<DirLock, Error> {
    DirLock::acquire(dir).map_err(|error| store_error(&error))
}

fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(|error| {
        Error::new(Code::DataDirUnusable, format!("{}: {error}", path.display()))
            .hint("Check that this user may read the data directory.")
    })
}

fn no_node(dir: &Path) -> Error {
    let dir = dir.display();
    Error::new(Code::NoNode, format!("there is no node in {dir}")).hint(format!(
        "If there should be one, check the path and that its disk is mounted. To make a new one: `steward init --data-dir {dir}`."
    ))
}

/// The error of a restore without a seed, which a backup does not hold.
pub(crate) fn no_seed_to_restore_for(dir: &Path) -> Error {
    let dir = dir.display();
    Error::new(Code::NoNode, format!("there is no seed in {dir} to restore a backup for"))
        .hint(format!("First the seed, from its words: `steward init --restore --data-dir {dir}`."))
}

/// Tells whether a node runs in this directory. Changes nothing.
///
/// # Errors
/// Fails if the directory cannot be read.
pub fn is_in_use(dir: &Path) -> Result<bool, Error> {
    let in_use = DirLock::in_use(dir).map_err(|error| store_error(&error))?;
    Ok(in_use != InUse::No)
}

fn node_exists(database: &Path) -> Error {
    let shown = database.display();
    Error::new(Code::NodeExists, format!("there is a node already: {shown} exists")).hint(
        "`steward start` runs it. For another node choose another data directory. The database is what this node owes and owns: leave it where it is.",
    )
}

/// Returns the path of the database of a data directory.
pub fn database(dir: &Path) -> PathBuf {
    dir.join(FILE_NAME)
}

/// Returns the owner that the database must have.
pub(crate) fn owner(config: &Config, seed: &Seed) -> Owner {
    Owner {
        network: network_name(config.node.network).to_owned(),
        node_id: NodeKeys::new(seed, config.node.network).node_id(),
    }
}
