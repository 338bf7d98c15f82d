//! The graph on disk: two files. Each is written as a whole beside the old one and renamed over it.
//!
//! A file is `magic (8) ‖ SHA256(body) (32) ‖ body`, with the body as LDK writes it. The checksum
//! is verified before LDK reads, because LDK's reader would take a spoiled length for a reason to
//! allocate gigabytes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::{Arc, PoisonError};

use bitcoin::Network;
use bitcoin::constants::ChainHash;
use bitcoin::hashes::{Hash, sha256};
use lightning::util::ser::{ReadableArgs, Writeable};

use crate::graph::{Graph, PublicGraph, Scorer, decay_params};
use crate::limits::MAX_FILE_BYTES;
use crate::log::LdkLog;

/// A kind of file: its name and the bytes that it starts with.
struct Kind {
    name: &'static str,
    magic: &'static [u8; 8],
}

const CHANNELS: Kind = Kind { name: "graph.bin", magic: b"stewgra1" };
const SCORES: Kind = Kind { name: "scores.bin", magic: b"stewsco1" };

impl Graph {
    /// Loads what [`Graph::save`] left in `dir`, or starts empty.
    ///
    /// A file that cannot be read or belongs to another network is renamed to `*.bad`, with a
    /// warning: the graph is a cache.
    pub fn load(dir: &Path, network: Network) -> Self {
        let channels = load_file(dir, &CHANNELS, |body| read_channels(body, network));
        let empty = || PublicGraph::new(network, LdkLog);
        let channels = Arc::new(channels.unwrap_or_else(empty));
        let read_scores = |body: &[u8]| {
            let arguments = (decay_params(), Arc::clone(&channels), LdkLog);
            let scores = Scorer::read(&mut &*body, arguments);
            scores.map_err(|error| format!("it cannot be decoded: {error}"))
        };
        let scorer = load_file(dir, &SCORES, read_scores);
        let unscored = || Scorer::new(decay_params(), Arc::clone(&channels), LdkLog);
        let scorer = scorer.unwrap_or_else(unscored);
        Self::from_parts(channels, scorer)
    }

    /// Writes graph and scores to `dir`, which must exist. After a crash each file is either the
    /// old or the new one.
    ///
    /// # Errors
    /// The errors of the file system.
    pub fn save(&self, dir: &Path) -> io::Result<()> {
        let _one_at_a_time = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        save_file(dir, &CHANNELS, &self.channels.encode())?;
        let scores = self.scorer().encode();
        save_file(dir, &SCORES, &scores)?;
        File::open(dir)?.sync_all()
    }
}

fn read_channels(body: &[u8], network: Network) -> Result<PublicGraph, String> {
    let channels = PublicGraph::read(&mut &*body, LdkLog);
    let channels = channels.map_err(|error| format!("it cannot be decoded: {error}"))?;
    if channels.get_chain_hash() != ChainHash::using_genesis_block(network) {
        return Err("it belongs to another network".to_owned());
    }
    Ok(channels)
}

fn save_file(dir: &Path, kind: &Kind, body: &[u8]) -> io::Result<()> {
    let temporary = dir.join(format!("{}.tmp", kind.name));
    let mut file = File::create(&temporary)?;
    file.write_all(kind.magic)?;
    file.write_all(sha256::Hash::hash(body).as_byte_array())?;
    file.write_all(body)?;
    file.sync_all()?;
    fs::rename(&temporary, dir.join(kind.name))
}

/// Loads a file. Returns `None`, after a warning, if nothing can be read from it.
fn load_file<T>(
    dir: &Path,
    kind: &Kind,
    read: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Option<T> {
    let path = dir.join(kind.name);
    let reason = match read_all(&path) {
        Ok(bytes) => match checked_body(&bytes, kind).and_then(read) {
            Ok(value) => return Some(value),
            Err(reason) => reason,
        },
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => error.to_string(),
    };
    tracing::warn!(file = %path.display(), reason, "starting without this file, it is set aside");
    let mut aside: OsString = path.clone().into_os_string();
    aside.push(".bad");
    if let Err(error) = fs::rename(&path, &aside) {
        tracing::warn!(file = %path.display(), %error, "cannot set it aside");
    }
    None
}

fn read_all(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn checked_body<'a>(bytes: &'a [u8], kind: &Kind) -> Result<&'a [u8], String> {
    let rest = bytes.strip_prefix(kind.magic).ok_or("it does not start as it should")?;
    let (checksum, body) = rest.split_first_chunk::<32>().ok_or("it is cut short")?;
    if sha256::Hash::hash(body).as_byte_array() != checksum {
        return Err("its checksum is wrong".to_owned());
    }
    Ok(body)
}
