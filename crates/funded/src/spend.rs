//! Which commitment a transaction is that spends the funding output.

use bitcoin::Transaction;
use lightning::ln::chan_utils::get_commitment_transaction_number_obscure_factor;

use crate::bolt3::{ChannelSigner, Side};
use crate::io::Spend;
use crate::ledger::View;
use crate::live::Live;

/// Tells which transaction this is. `None` means that it does not spend the funding output.
pub(crate) fn classify(
    live: &Live,
    signer: &dyn ChannelSigner,
    transaction: &Transaction,
) -> Option<Spend> {
    let parameters = &live.parameters;
    let input =
        transaction.input.iter().find(|input| input.previous_output == parameters.funding)?;
    let txid = transaction.compute_txid();
    if live.shutdown.signed.iter().any(|signed| signed.close.txid(parameters.funding) == txid) {
        return Some(Spend::Close);
    }
    let factor = get_commitment_transaction_number_obscure_factor(
        &parameters.local.basepoints.payment,
        &parameters.remote.basepoints.payment,
        parameters.funder == Side::Local,
    );
    let high = u64::from(input.sequence.0 & 0xff_ffff);
    let low = u64::from(transaction.lock_time.to_consensus_u32() & 0xff_ffff);
    let number = (high << 24 | low) ^ factor;
    let contents = live.contents(View::LocalCurrent);
    let is_local = signer.point(live.local.number).is_ok_and(|point| {
        live.commitment(Side::Local, live.local.number, point, &contents).build().txid() == txid
    });
    let remote = &live.remote;
    let newest = remote.number.saturating_add(u64::from(remote.pending.is_some()));
    Some(match number {
        _ if is_local => Spend::Local,
        _ if number < remote.number => Spend::Revoked(number),
        _ if number <= newest => Spend::Remote(number),
        _ => Spend::Newer(number),
    })
}
