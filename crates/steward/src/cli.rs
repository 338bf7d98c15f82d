//! The commands, flags and arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::amount::{Amount, InvoiceAmount};
use crate::limits::{MAX_LIST_ROWS, MAX_PLAYGROUND_CLIENTS};

/// Hosted channels for Lightning: host, client, or both.
#[derive(Debug, Parser)]
#[command(name = "steward", version, propagate_version = true)]
pub struct Cli {
    /// The flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The flags of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The directory of seed, database, configuration and API token [default: ~/.steward]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Configuration file [default: steward.toml in the data directory]
    #[arg(long, global = true, value_name = "FILE", env = "STEWARD_CONFIG")]
    pub config: Option<PathBuf>,
    /// Overrides one key of the configuration, for example `--set host.fee_ppm=500`
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Answers in JSON, as the API does; only help stays text
    #[arg(long, global = true)]
    pub json: bool,
}

/// The command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a data directory and a seed, or restores a seed from its words
    Init(Init),
    /// Runs the daemon, until it is stopped or interrupted
    Start(Start),
    /// Stops the daemon
    Stop,
    /// Shows the node at a glance
    Status,
    /// Checks everything a newcomer gets wrong
    Doctor,
    /// Shows every key of the configuration, its value and where that comes from
    Config,
    /// Hosted channels
    #[command(subcommand)]
    Channel(ChannelCommand),
    /// Shows what was kept of peers that broke the protocol, or that hold other states than we do
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Hands in a preimage learned elsewhere: claims what waits for it
    ///
    /// The peer that offered us the HTLC is asked to pay. The channel we offered it in is
    /// suspended, because its other side has not signed for that: an override settles it.
    Preimage {
        /// 64 hexadecimal digits
        preimage: String,
    },
    /// Invoices: `steward invoice 1000sat` makes one
    Invoice(InvoiceArguments),
    /// Pays an invoice
    Pay(Pay),
    /// Pays a node without an invoice
    Keysend(Keysend),
    /// Takes an invoice apart, without paying it
    Decode {
        /// BOLT11, or a `lightning:` or `bitcoin:` URI with one
        invoice: String,
    },
    /// Lists payments out, newest first; with a hash, shows one payment with its parts
    Payments {
        /// Show only this one
        payment_hash: Option<String>,
        /// The part of the list.
        #[command(flatten)]
        page: Page,
    },
    /// Shows what was forwarded between channels, newest first
    Forwards {
        /// The part of the list.
        #[command(flatten)]
        page: Page,
    },
    /// Keeps a connection to a peer
    Connect {
        /// NODE_ID@HOST:PORT; without a port it is 9735
        peer: String,
    },
    /// Lists connected and wanted peers
    Peers,
    /// One peer
    #[command(subcommand)]
    Peer(PeerCommand),
    /// Shows counters and queue lengths
    Metrics,
    /// Copies the database, while the daemon runs, to a new file
    Backup {
        /// The new file
        file: PathBuf,
    },
    /// Puts a backup in the place of the database, while no daemon runs
    ///
    /// The seed must be there: `steward init --restore` makes it from its words. A database that has
    /// channels is not replaced: it is newer than any backup, unless its disk is broken. What is
    /// replaced is kept under another name.
    Restore {
        /// The file that `steward backup` made
        file: PathBuf,
        /// Restore even over a database with channels, or one that cannot be read
        #[arg(long)]
        replace: bool,
    },
    /// Shows the words of the seed: anyone who has them has the money
    Seed {
        /// Show them even if the output is not a terminal
        #[arg(long)]
        yes: bool,
    },
    /// Checks an exported channel state, offline: what it proves against which node, and what it
    /// does not
    ///
    /// Only the host's signature counts against the host. Exit code 0: what the host owes is proved;
    /// 1: it is not; 2: this is no exported state.
    Verify {
        /// `snapshot` of `steward channel show`, in hexadecimal; a file with it or with that
        /// command's whole `--json` answer; `-` for standard input
        snapshot: String,
    },
    /// A host and its clients on this machine, to try everything out
    Playground(Playground),
    /// Plays one scene: payments through a host that is killed in the middle of one
    Demo,
}

/// `steward init`
#[derive(Debug, Args)]
pub struct Init {
    /// mainnet (`bitcoin` is the same), testnet, testnet4, signet or regtest
    #[arg(long)]
    pub network: Option<String>,
    /// Asks for the words of an existing seed, on standard input
    #[arg(long)]
    pub restore: bool,
}

/// `steward start`
#[derive(Debug, Args)]
pub struct Start {
    /// Stop when standard input closes: for a parent process that may die
    #[arg(long, hide = true)]
    pub until_stdin_closes: bool,
}

/// `steward channel`
#[derive(Debug, Subcommand)]
pub enum ChannelCommand {
    /// Opens a hosted channel with a host: what you receive over it is in its custody
    Invoke {
        /// NODE_ID@HOST:PORT; without a port it is 9735
        host: String,
        /// The secret that the host gave you to open with: text, or bytes after `hex:`. Other users
        /// of this machine see it in the list of processes, and your shell keeps it: see
        /// --secret-file
        #[arg(long)]
        secret: Option<String>,
        /// Reads the same from a file, or with `-` from standard input: on a terminal it is asked
        /// for, and not shown
        #[arg(long, value_name = "FILE", conflicts_with = "secret")]
        secret_file: Option<PathBuf>,
        /// Be known by this node's own id in the channel, for good. Otherwise you are known by an id
        /// made for this host alone: no two hosts can tell that they serve the same client
        #[arg(long)]
        as_node: bool,
    },
    /// Lists all channels
    List,
    /// Shows one channel, with the state both sides signed
    Show {
        /// The channel's id, or the other side's node id if there is one channel with it
        #[arg(value_name = "CHANNEL")]
        peer_id: String,
    },
    /// Forgets a channel in which neither side has anything at stake
    ///
    /// It must never have been signed, or the client's balance be 0 and nothing in flight.
    /// As client you may open it again. As host you never let the client in again, if the channel
    /// was ever used: you have signed states in which it had money.
    Forget {
        /// The channel's id, or the other side's node id if there is one channel with it
        #[arg(value_name = "CHANNEL")]
        peer_id: String,
    },
    /// Stops a channel, for both sides: no new payments until an override
    ///
    /// What is in flight may still be fulfilled. There is no way back but an override: the host
    /// proposes a balance, and the client accepts it.
    Suspend {
        /// The channel's id, or the other side's node id if there is one channel with it
        #[arg(value_name = "CHANNEL")]
        peer_id: String,
    },
    /// As host: proposes the balance with which a suspended channel shall go on
    ///
    /// The new state has no HTLCs: once the client accepts, whatever is in flight in the channel
    /// is given up, and the balances signed before are worth nothing. Compare signed states first
    /// (`steward verify`). A further proposal replaces the one before.
    Override {
        /// The channel's id, or the client's node id if there is one channel with it
        #[arg(value_name = "CHANNEL")]
        peer_id: String,
        /// The balance to propose.
        #[command(flatten)]
        balance: ProposedBalance,
        /// Proposes what evidence proves without asking
        #[arg(long)]
        yes: bool,
    },
    /// As client: accepts the balance our host proposes for a suspended channel
    ///
    /// It replaces the balance both signed before, for good: what is in flight in the channel is
    /// given up. Without --our-balance the proposal is shown, and not accepted.
    AcceptOverride {
        /// The channel's id, or the host's node id if there is one channel with it
        #[arg(value_name = "CHANNEL")]
        peer_id: String,
        /// The balance that would be ours, as proposed: nothing else is accepted
        #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
        our_balance: Option<Amount>,
    },
    /// As client: asks our host for a larger channel
    ///
    /// Balances stay as they are. A host that does not agree may suspend the channel: ask it
    /// before, on another way.
    Resize {
        /// The channel's id, or the host's node id if there is one channel with it
        #[arg(value_name = "CHANNEL")]
        peer_id: String,
        /// The capacity that the channel shall have, for example 2000000sat
        #[arg(allow_hyphen_values = true)]
        capacity: Amount,
    },
}

/// The balance with which a channel shall go on.
#[derive(Clone, Copy, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ProposedBalance {
    /// The balance that would be ours, for example 250000sat; the rest of the capacity is the
    /// client's
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub our_balance: Option<Amount>,
    /// The balance that would be the client's; the rest of the capacity is ours
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub client_balance: Option<Amount>,
    /// Proposes what this evidence proves: a state both signed, newer than ours, see `steward
    /// evidence`
    #[arg(long, value_name = "NUMBER")]
    pub as_proved: Option<u64>,
}

/// `steward evidence`
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Lists what was kept, newest first
    List {
        /// Lists only what is about this peer
        peer_id: Option<String>,
        /// The part of the list.
        #[command(flatten)]
        page: Page,
    },
    /// Shows one message that was kept: what it holds, whose signatures hold, and the form for
    /// `verify`
    Show {
        /// Its number
        number: u64,
    },
}

/// `steward peer`
#[derive(Debug, Subcommand)]
pub enum PeerCommand {
    /// No longer keeps a connection to a peer; a channel with it stays
    Forget {
        /// The peer's node id
        peer_id: String,
    },
}

/// `steward invoice`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct InvoiceArguments {
    /// The command, if it is not to make one.
    #[command(subcommand)]
    pub command: Option<InvoiceCommand>,
    /// The short form.
    #[command(flatten)]
    pub create: Option<CreateInvoice>,
}

/// `steward invoice ...`
#[derive(Debug, Subcommand)]
pub enum InvoiceCommand {
    /// Makes an invoice
    Create(CreateInvoice),
    /// Lists our invoices, newest first
    List {
        /// Lists only those that are paid
        #[arg(long)]
        paid: bool,
        /// The part of the list.
        #[command(flatten)]
        page: Page,
    },
    /// Shows one of our invoices
    Show {
        /// Its payment hash
        payment_hash: String,
    },
}

/// `steward invoice create`
#[derive(Debug, Args)]
pub struct CreateInvoice {
    /// The amount, for example 1000sat, 0.001btc, 250000msat; or `any`: the payer chooses
    #[arg(allow_hyphen_values = true)]
    pub amount: InvoiceAmount,
    /// The description for the payer
    #[arg(long, short, default_value = "")]
    pub description: String,
    /// The time until it expires, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub expiry: u32,
}

/// `steward pay`
#[derive(Debug, Args)]
pub struct Pay {
    /// BOLT11, or a `lightning:` or `bitcoin:` URI with one
    pub invoice: String,
    /// The amount to pay, if the invoice leaves it open
    #[arg(long, allow_hyphen_values = true)]
    pub amount: Option<Amount>,
    /// Pays everything that can be sent, if the invoice leaves the amount open
    #[arg(long, conflicts_with = "amount")]
    pub all: bool,
    /// The largest fee [default: 1 % and at least 10 sat]
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub max_fee: Option<Amount>,
}

/// `steward keysend`
#[derive(Debug, Args)]
pub struct Keysend {
    /// The payee; a client by the id under which its host knows it, see its `channel list`
    pub node_id: String,
    /// The amount, for example 1000sat
    #[arg(allow_hyphen_values = true)]
    pub amount: Amount,
    /// The host of yours through which it is reached, if it is not public: its node id
    #[arg(long, value_name = "NODE_ID")]
    pub via: Option<String>,
    /// The largest fee [default: 1 % and at least 10 sat]
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub max_fee: Option<Amount>,
}

/// The part of a list.
#[derive(Clone, Copy, Debug, Args)]
pub struct Page {
    /// The most rows
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_LIST_ROWS)))]
    pub limit: u16,
    /// Lists only rows older than this: what the page before ended with
    #[arg(long, value_name = "CURSOR")]
    pub before: Option<u64>,
}

/// `steward playground`
#[derive(Debug, Args)]
pub struct Playground {
    /// The number of clients
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_PLAYGROUND_CLIENTS)))]
    pub clients: u8,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_invoice_can_be_made_with_and_without_create() {
        for line in ["steward invoice 5sat -d tea", "steward invoice create 5sat -d tea"] {
            let Command::Invoice(arguments) = parse(line).unwrap().command else {
                panic!("{line}")
            };
            let create = match arguments.command {
                Some(InvoiceCommand::Create(create)) => create,
                Some(other) => panic!("{other:?}"),
                None => arguments.create.unwrap(),
            };
            assert_eq!(create.amount, InvoiceAmount(Some(Amount::from_msat(5000))));
            assert_eq!(create.description, "tea");
        }
    }

    #[test]
    fn listing_invoices_needs_no_amount() {
        let cli = parse("steward invoice list --paid").unwrap();
        assert!(matches!(
            cli.command,
            Command::Invoice(InvoiceArguments {
                command: Some(InvoiceCommand::List { paid: true, .. }),
                ..
            })
        ));
    }

    #[test]
    fn an_amount_without_a_unit_is_a_usage_error_with_a_hint() {
        let error = parse("steward keysend 02ab 1000").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("write 1000sat"), "{error}");
    }

    #[test]
    fn less_than_nothing_is_an_amount_and_no_flag() {
        for line in [
            "steward keysend 02ab -5sat",
            "steward invoice -5sat",
            "steward pay lnbc1 --amount -5sat",
            "steward channel resize 02ab -5sat",
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.to_string().contains("not negative"), "{line}: {error}");
        }
        assert!(parse("steward invoice 5sat --json").unwrap().global.json);
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in ["steward --json --data-dir d status", "steward status --data-dir d --json"] {
            let cli = parse(line).unwrap();
            assert!(cli.global.json);
            assert_eq!(cli.global.data_dir, Some(PathBuf::from("d")));
        }
    }

    #[test]
    fn an_override_names_the_balance_it_proposes() {
        assert!(parse("steward channel override 02ab").is_err());
        let cli = parse("steward channel override 02ab --our-balance 0sat").unwrap();
        let Command::Channel(ChannelCommand::Override { balance, .. }) = cli.command else {
            panic!("{cli:?}")
        };
        assert_eq!(balance.our_balance, Some(Amount::from_msat(0)));
        let two = "steward channel override 02ab --client-balance 0sat --as-proved 1";
        assert!(parse(two).is_err());
    }

    #[test]
    fn the_words_of_a_seed_are_never_arguments() {
        assert!(parse("steward init --restore abandon").is_err());
    }
}
