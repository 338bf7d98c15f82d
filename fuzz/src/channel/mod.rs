//! Sequences of inputs to one or two channels.
//!
//! - `honest`: two channels and a link that loses messages
//! - `hostile`: one channel whose peer has its key and no scruples
//! - `watch`: the properties of a channel after every step

mod honest;
mod hostile;
mod watch;

pub(crate) use honest::{honest, rough};
pub(crate) use hostile::hostile;

use steward_hosted::{Channel, Phase};

/// Reads bytes as a stored channel. Disks are damaged, not malicious, so the channel is read and
/// stored again and not used.
pub(crate) fn record(data: &[u8]) {
    let Ok(channel) = Channel::from_record(data) else { return };
    assert!(!matches!(channel.phase(), Phase::Active | Phase::Syncing), "no peer is connected");
    let record = channel.record();
    let again = Channel::from_record(&record).expect("what is stored can be read");
    assert_eq!(again.record(), record);
    assert_eq!(again.summary(), channel.summary());
}
