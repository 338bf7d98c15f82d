//! `steward demo`: payments through a host that is killed in the middle of one, and the proof that
//! no node lost anything. Exits with 0 only if all of it holds.

use std::thread;
use std::time::Duration;
use steward_engine::Code;

use serde::Serialize;
use steward_api::model::{InvoiceState, PaymentDetails, PaymentState};
use steward_wire::amount::in_sat;

use crate::amount::Amount;
use crate::cluster::{Cluster, NodeProcess, client_name, new_cluster_dir};
use crate::commands::verify_snapshot;
use crate::failure::Failure;
use crate::limits::{MAX_CHILD_START, MAX_KILL_ATTEMPTS};
use crate::output::Output;

/// The balance of each client at the start: a gift of the host.
pub(crate) const INITIAL_BALANCE_SAT: u64 = 250_000;

/// The amount of each payment of the demo.
const PAYMENT_MSAT: u64 = 10_000_000;

/// The time by which each kill comes later than the one before, to hit the payment in another
/// place.
const KILL_DELAY_STEP: Duration = Duration::from_micros(500);

/// The outcome of the demo.
#[derive(Debug, Serialize)]
struct Report {
    payments: Vec<PaymentState>,
    host_kills: u32,
    clients: Vec<ProvenBalance>,
}

/// The balance of a client, by the signatures of both sides.
#[derive(Debug, Serialize)]
struct ProvenBalance {
    name: String,
    balance_msat: u64,
    host_id: String,
    client_id: String,
}

pub(crate) fn run(output: Output) -> Result<(), Failure> {
    let binary = std::env::current_exe().map_err(|error| Failure::io("this program", &error))?;
    let dir = new_cluster_dir("demo");
    output.progress("A host and two clients, three processes on this machine:");
    let said = |text: &str| output.progress(&format!("  {text}"));
    let mut cluster = Cluster::start(&binary, &dir, 2, INITIAL_BALANCE_SAT, &said)?;
    let report = play(&mut cluster, output)?;
    cluster.stop()?;
    output.answer(&report, report_text)
}

fn play(cluster: &mut Cluster, output: Output) -> Result<Report, Failure> {
    let mut payments = vec![pay_once(cluster, output)?];
    let host_kills = kill_in_mid_payment(cluster, output, &mut payments)?;
    output.progress("\nThe debts, by the signatures of both sides:");
    let clients = prove_balances(cluster, &payments)?;
    let payments = payments.iter().map(|payment| payment.payment.status).collect();
    Ok(Report { payments, host_kills, clients })
}

/// Lets Alice pay Bob through the host.
fn pay_once(cluster: &Cluster, output: Output) -> Result<PaymentDetails, Failure> {
    let (alice, bob) = clients(cluster)?;
    output.progress(&format!("\nAlice pays Bob {}:", Amount::from_msat(PAYMENT_MSAT)));
    let invoice = bob.create_invoice(PAYMENT_MSAT)?;
    let payment = alice.pay(&invoice, MAX_CHILD_START)?;
    if payment.status != PaymentState::Complete {
        return Err(broken(format!("the first payment is {:?}", payment.status)));
    }
    output.progress(&format!(
        "  complete, fee {}, proof {}",
        Amount::from_msat(payment.fee_msat),
        payment.preimage.as_deref().unwrap_or("missing"),
    ));
    alice.payment(&payment.payment_hash, Duration::ZERO)
}

/// Lets Alice pay again, and kills the host while the payment is in flight; as often as it takes
/// to hit it there. A payment that had not left Alice yet ends without effect and is not reported
/// at the end. Returns how often the host was killed.
fn kill_in_mid_payment(
    cluster: &mut Cluster,
    output: Output,
    payments: &mut Vec<PaymentDetails>,
) -> Result<u32, Failure> {
    output.progress("\nAlice pays again, and the host is killed (SIGKILL) in the middle of it:");
    for attempt in 0..MAX_KILL_ATTEMPTS {
        let (alice, bob) = clients(cluster)?;
        let invoice = bob.create_invoice(PAYMENT_MSAT)?;
        let hash = invoice.payment_hash.clone();
        let started = alice.pay(&invoice, Duration::ZERO)?;
        if started.status == PaymentState::Pending {
            thread::sleep(KILL_DELAY_STEP * attempt);
        }
        cluster.host.kill();
        let (alice, _) = clients(cluster)?;
        let killed_in = alice.payment(&hash, Duration::ZERO)?;
        let is_out = |details: &PaymentDetails| {
            details.payment.status == PaymentState::Pending
                && details.parts.iter().any(|part| part.status == PaymentState::Pending)
        };
        let was_hit = is_out(&killed_in);
        output.progress(match was_hit {
            true => "  killed: the money has left Alice and has not come back as a receipt",
            false => "  killed, but the payment was not on its way at that moment: once more",
        });
        cluster.host.restart()?;
        let ended = await_end(cluster, &hash)?;
        if ended.payment.status != PaymentState::Complete {
            // Nothing had left Alice yet when the host went away: nothing was paid.
            output.progress("  the payment had not begun its way, and ended without effect");
            continue;
        }
        payments.push(ended);
        if was_hit {
            output.progress("  the host is started again, and the payment has ended");
            return Ok(attempt + 1);
        }
    }
    Err(broken(format!("the host was killed {MAX_KILL_ATTEMPTS} times, never in mid-payment")))
}

/// Checks that a payment ends, and in the same way for both.
fn await_end(cluster: &Cluster, hash: &str) -> Result<PaymentDetails, Failure> {
    let (alice, bob) = clients(cluster)?;
    alice.settled_channel(cluster.host.node_id())?;
    let payment = alice.payment(hash, MAX_CHILD_START)?;
    let was_received = bob.invoice(hash)?.status == InvoiceState::Complete;
    match (payment.payment.status, was_received) {
        (PaymentState::Complete, true) | (PaymentState::Failed, false) => Ok(payment),
        (status, _) => Err(broken(format!(
            "for Alice the payment is {status:?}, for Bob it is {}",
            if was_received { "received" } else { "not received" },
        ))),
    }
}

/// Checks each channel's state, as the host and as the client show it: signed by both, the same for
/// both, and what the payments say.
fn prove_balances(
    cluster: &Cluster,
    payments: &[PaymentDetails],
) -> Result<Vec<ProvenBalance>, Failure> {
    let complete = || payments.iter().filter(|p| p.payment.status == PaymentState::Complete);
    let received_msat: u64 = complete().map(|p| p.payment.amount_msat).sum();
    let spent_msat: u64 = complete().map(|p| p.payment.amount_msat + p.payment.fee_msat).sum();
    let initial_msat = INITIAL_BALANCE_SAT * 1000;
    let expected_msat = [initial_msat.checked_sub(spent_msat), Some(initial_msat + received_msat)];
    let mut proven = Vec::new();
    for (index, (client, expected_msat)) in cluster.clients.iter().zip(expected_msat).enumerate() {
        let by_client = client.settled_channel(cluster.host.node_id())?;
        let by_host = cluster.host.settled_channel(&by_client.channel.local_id)?;
        let snapshot = |text: Option<String>| text.ok_or_else(|| broken("no signed state"));
        let from_client = verify_snapshot(&snapshot(by_client.snapshot)?)?;
        let from_host = verify_snapshot(&snapshot(by_host.snapshot)?)?;
        let name = client_name(index);
        if from_client != from_host {
            return Err(broken(format!("{name} and the host show different states")));
        }
        if Some(from_client.client_balance_msat) != expected_msat {
            return Err(broken(format!(
                "{name} has {}, but by the payments it is {}",
                Amount::from_msat(from_client.client_balance_msat),
                expected_msat.map_or("unknown".to_owned(), in_sat)
            )));
        }
        proven.push(ProvenBalance {
            name,
            balance_msat: from_client.client_balance_msat,
            host_id: from_client.host_id,
            client_id: from_client.client_id,
        });
    }
    Ok(proven)
}

fn report_text(report: &Report) -> String {
    let payments = report.payments.iter().enumerate().map(|(index, status)| {
        let status = match status {
            PaymentState::Complete => "complete",
            PaymentState::Failed => "failed, nothing was paid",
            PaymentState::Pending => "pending",
            PaymentState::Unknown => "unknown",
        };
        format!("payment {}: {status}", index + 1)
    });
    let balances = report.clients.iter().map(|client| {
        format!(
            "{}: {}, balance proved by host signature and its own",
            client.name,
            Amount::from_msat(client.balance_msat)
        )
    });
    payments.chain(balances).collect::<Vec<_>>().join("\n")
}

fn clients(cluster: &Cluster) -> Result<(&NodeProcess, &NodeProcess), Failure> {
    match cluster.clients.as_slice() {
        [alice, bob, ..] => Ok((alice, bob)),
        _ => Err(broken("two clients are needed")),
    }
}

/// Makes the failure of something that must hold and does not. The directory is left to look at.
fn broken(message: impl Into<String>) -> Failure {
    Failure::new(
        Code::DemoFailed,
        message,
        format!("the nodes' logs are in {}", new_cluster_dir("demo").display()),
    )
}
