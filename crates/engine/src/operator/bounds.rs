//! The bounds of commands: numbers that a row can hold and texts of a bounded length. Every field
//! of every command is named here, so that a new one is not forgotten.

use steward_wire::amount::in_sat;

use crate::face::code::Code;
use crate::face::command::Command;
use crate::face::error::Error;
use crate::face::limits::{MAX_ADDRESS_BYTES, MAX_ADDRESSES, MAX_AMOUNT_MSAT};

impl Command {
    /// Refuses values that no row could hold, before anything is done.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Status
            | Self::ListChannels { after: _ }
            | Self::ListPeers
            | Self::ShowChannel { channel: _ }
            | Self::SuspendChannel { channel: _ }
            | Self::ForgetChannel { channel: _ }
            | Self::ForgetPeer { peer: _ }
            | Self::MostPayable { invoice: _ }
            | Self::SubmitPreimage { preimage: _ }
            | Self::AwaitPayment { payment_hash: _ }
            | Self::GetPayment { payment_hash: _ }
            // Numbers of a configuration are looked at where it is read.
            | Self::Reconfigure { config: _ } => Ok(()),
            Self::InvokeChannel { host: _, addresses, identity: _, secret } => {
                check_addresses(addresses)?;
                check_secret(secret)
            }
            Self::Connect { peer: _, addresses } => check_addresses(addresses),
            Self::ProposeOverride { channel: _, local_balance_msat: msat }
            | Self::AcceptOverride { channel: _, our_balance_msat: msat } => check_amount(*msat),
            Self::ResizeChannel { channel: _, new_capacity_sat } => {
                check_amount(new_capacity_sat.saturating_mul(1000))
            }
            // Length and expiry of an invoice are looked at where it is made.
            Self::CreateInvoice {
                amount_msat,
                description: _,
                expiry_s: _,
                preimage: _,
                payment_secret: _,
            } => check_amount(amount_msat.unwrap_or(0)),
            // Any number is a limit of fees: `capped_fee`.
            Self::Pay { invoice, amount_msat, max_fee_msat: _, answer: _ } => {
                check_amount(invoice.amount_msat.unwrap_or(0))?;
                check_amount(amount_msat.unwrap_or(0))
            }
            Self::Keysend {
                destination: _,
                via: _,
                amount_msat,
                max_fee_msat: _,
                preimage: _,
                answer: _,
            } => check_amount(*amount_msat),
        }
    }
}

/// The most a payment of `amount_msat` may cost on top: the limit asked for, or else 1 % and at
/// least 10 sat. "No limit", whatever number says it, is the largest amount that can be paid.
pub(crate) fn capped_fee(amount_msat: u64, max_fee_msat: Option<u64>) -> u64 {
    max_fee_msat.unwrap_or((amount_msat / 100).max(10_000)).min(MAX_AMOUNT_MSAT)
}

fn check_amount(amount_msat: u64) -> Result<(), Error> {
    if amount_msat > MAX_AMOUNT_MSAT {
        let (amount, most) = (in_sat(amount_msat), in_sat(MAX_AMOUNT_MSAT));
        let text = format!("{amount} are more than the {most} that a payment can be");
        return Err(Error::new(Code::AmountTooHigh, text));
    }
    Ok(())
}

fn check_secret(secret: &[u8]) -> Result<(), Error> {
    if secret.len() > steward_wire::limits::MAX_SECRET_BYTES {
        return Err(Error::new(Code::SecretTooLong, "the secret is longer than 128 bytes"));
    }
    Ok(())
}

fn check_addresses(addresses: &[String]) -> Result<(), Error> {
    if addresses.len() > MAX_ADDRESSES {
        let text = format!("at most {MAX_ADDRESSES} addresses are kept of one peer");
        return Err(Error::new(Code::TooManyAddresses, text));
    }
    if addresses.iter().any(|address| address.len() > MAX_ADDRESS_BYTES) {
        let text = format!("an address has at most {MAX_ADDRESS_BYTES} bytes");
        return Err(Error::new(Code::AddressTooLong, text).hint("write host:port"));
    }
    Ok(())
}
