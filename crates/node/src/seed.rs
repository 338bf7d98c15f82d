//! The BIP39 seed: made, restored, kept in one file of the data directory. `keys` derives the keys
//! from it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

use crate::limits::MAX_SEED_FILE_BYTES;
use crate::random::random_bytes;
use crate::seed_error::SeedError;
use crate::seed_words::tidy;

/// Name of the seed's file in the data directory.
pub const SEED_FILE: &str = "seed";

/// Name of the mark beside a seed whose words were not shown yet.
pub const UNSHOWN_FILE: &str = "seed.not-shown";

/// A seed that everything the node owns is derived from. Wiped from memory when dropped.
pub struct Seed {
    /// The words in lower case, with single spaces.
    words: Zeroizing<String>,
    /// BIP32's seed, without a passphrase: SBW, OBW and Valet use none.
    bip32: Zeroizing<[u8; 64]>,
}

impl Seed {
    /// Makes a new seed of 12 words: 128 bits from the system.
    ///
    /// # Errors
    /// Fails with [`SeedError::Random`].
    pub fn generate() -> Result<Self, SeedError> {
        let entropy = Zeroizing::new(random_bytes::<16>()?);
        let mnemonic = Mnemonic::from_entropy(entropy.as_slice())
            .map_err(|_| SeedError::WordCount { found: 12 })?;
        Ok(Self::from_mnemonic(&mnemonic))
    }

    /// Makes a seed from words written down: English BIP39, in any case, with any white space, with
    /// numbers, commas or quotes beside the words.
    ///
    /// # Errors
    /// [`SeedError::WordCount`], [`SeedError::UnknownWord`], [`SeedError::Checksum`] or
    /// [`SeedError::Numbering`].
    pub fn from_words(words: &str) -> Result<Self, SeedError> {
        let text = tidy(words)?;
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &text).map_err(
            |error| match error {
                bip39::Error::BadWordCount(found) => SeedError::WordCount { found },
                bip39::Error::UnknownWord(index) => SeedError::UnknownWord { position: index + 1 },
                _ => SeedError::Checksum,
            },
        )?;
        Ok(Self::from_mnemonic(&mnemonic))
    }

    /// Reads the seed of a data directory.
    ///
    /// # Errors
    /// [`SeedError::Missing`] if there is none yet, otherwise as [`Self::from_words`] or
    /// [`SeedError::Io`].
    pub fn load(data_dir: &Path) -> Result<Self, SeedError> {
        let path = data_dir.join(SEED_FILE);
        let file = File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => SeedError::Missing { path: path.clone() },
            _ => SeedError::Io { path: path.clone(), source },
        })?;
        let mut text = Zeroizing::new(String::with_capacity(MAX_SEED_FILE_BYTES));
        file.take(MAX_SEED_FILE_BYTES as u64)
            .read_to_string(&mut text)
            .map_err(|source| SeedError::Io { path, source })?;
        Self::from_words(&text)
    }

    /// Writes the seed into a data directory that has none, readable by its owner only.
    ///
    /// # Errors
    /// [`SeedError::Exists`] if there is one; [`SeedError::Io`].
    pub fn create(&self, data_dir: &Path) -> Result<(), SeedError> {
        let path = data_dir.join(SEED_FILE);
        let io = |source| SeedError::Io { path: path.clone(), source };
        if path.exists() {
            return Err(SeedError::Exists { path });
        }
        // Written aside and linked: a crash leaves no half seed, a link never overwrites.
        let aside = data_dir.join(format!("{SEED_FILE}.new"));
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        write_private(&aside, self.words().as_bytes()).map_err(io)?;
        let linked = fs::hard_link(&aside, &path);
        fs::remove_file(&aside).map_err(io)?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(SeedError::Exists { path });
            }
            other => other.map_err(io)?,
        }
        File::open(data_dir).and_then(|dir| dir.sync_all()).map_err(io)
    }

    /// Writes, as [`Self::create`], a seed whose words were not shown yet. A mark beside it keeps
    /// the node from starting until [`Self::words_were_shown`] removes it.
    ///
    /// # Errors
    /// Fails as [`Self::create`].
    pub fn create_unshown(&self, data_dir: &Path) -> Result<(), SeedError> {
        let path = data_dir.join(UNSHOWN_FILE);
        if data_dir.join(SEED_FILE).exists() {
            return Err(SeedError::Exists { path: data_dir.join(SEED_FILE) });
        }
        // The mark first: no crash leaves a seed of this kind without it.
        match write_private(&path, b"`steward seed` shows the words and removes this file") {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(|source| SeedError::Io { path, source })?,
        }
        self.create(data_dir)
    }

    /// Records that the words of the seed in this data directory were shown to a person.
    ///
    /// # Errors
    /// Fails with [`SeedError::Io`].
    pub fn words_were_shown(data_dir: &Path) -> Result<(), SeedError> {
        let path = data_dir.join(UNSHOWN_FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(|source| SeedError::Io { path, source }),
        }
    }

    /// Refuses a seed whose words were not shown: with its disk it would be gone.
    pub(crate) fn check_shown(data_dir: &Path) -> Result<(), SeedError> {
        match data_dir.join(UNSHOWN_FILE).exists() {
            true => Err(SeedError::Unshown { path: data_dir.join(SEED_FILE) }),
            false => Ok(()),
        }
    }

    /// Refuses a seed file that others may read: with the words they have the money.
    pub(crate) fn check_private(data_dir: &Path) -> Result<(), SeedError> {
        let path = data_dir.join(SEED_FILE);
        match fs::metadata(&path) {
            Ok(metadata) if others_may(&metadata, 0o077) => Err(SeedError::Readable { path }),
            Ok(_) => Ok(()),
            Err(source) => Err(SeedError::Io { path, source }),
        }
    }

    /// Returns the words, to be written down.
    pub fn words(&self) -> &str {
        &self.words
    }

    pub(crate) fn bip32_seed(&self) -> &[u8; 64] {
        &self.bip32
    }

    fn from_mnemonic(mnemonic: &Mnemonic) -> Self {
        // The text has room for all words at once: growing would leave copies behind.
        let mut words = Zeroizing::new(String::with_capacity(MAX_SEED_FILE_BYTES));
        for word in mnemonic.words() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
        }
        Self { words, bip32: Zeroizing::new(mnemonic.to_seed_normalized("")) }
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(***)")
    }
}

/// True if others than the owner have any of these permissions.
#[cfg(unix)]
pub(crate) fn others_may(metadata: &fs::Metadata, bits: u32) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & bits != 0
}

#[cfg(not(unix))]
pub(crate) fn others_may(_metadata: &fs::Metadata, _bits: u32) -> bool {
    false
}

/// Writes a new file that only its owner can read, and that is on disk when this returns.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.write_all(b"\n")?;
    file.sync_all()
}
