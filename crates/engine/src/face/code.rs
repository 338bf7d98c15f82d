//! Every code an error may have, once: its name and meaning, the blame, and a hint what to do.
//! docs/errors.md and the statuses of the OpenAPI document are made from this list.

use std::fmt;

/// The blame for an error: it tells who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blame {
    /// The request is not what `/openapi.json` describes.
    Malformed,
    /// The token is missing or wrong.
    Unauthorized,
    /// The very thing asked for does not exist.
    NotFound,
    /// The path is not asked in this way.
    WrongMethod,
    /// No, as things stand: a limit, a policy, a balance.
    Refused,
    /// The body is too large.
    TooLarge,
    /// A value has the right form and cannot be meant.
    BadRequest,
    /// A bug or a disk.
    OurFault,
    /// Not now; it passes by itself.
    Unavailable,
    /// No answer in time.
    NoAnswer,
}

impl Blame {
    /// Every blame, by status.
    pub const ALL: &'static [Self] = &[
        Self::Malformed,
        Self::Unauthorized,
        Self::NotFound,
        Self::WrongMethod,
        Self::Refused,
        Self::TooLarge,
        Self::BadRequest,
        Self::OurFault,
        Self::Unavailable,
        Self::NoAnswer,
    ];

    /// The meaning, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Malformed => "The request is not what `/openapi.json` describes.",
            Self::Unauthorized => "The token is missing or wrong.",
            Self::NotFound => "The very thing asked for does not exist.",
            Self::WrongMethod => "The path is not asked in this way.",
            Self::Refused => "No, as things stand: a limit, a policy, a balance.",
            Self::TooLarge => "The body is too large.",
            Self::BadRequest => "A value has the right form and cannot be meant.",
            Self::OurFault => "A bug or a disk.",
            Self::Unavailable => "Not now; it passes by itself.",
            Self::NoAnswer => "No answer in time: what was asked may still be carried out.",
        }
    }

    /// The HTTP status of an answer.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthorized => 401,
            Self::NotFound => 404,
            Self::WrongMethod => 405,
            Self::Refused => 409,
            Self::TooLarge => 413,
            Self::BadRequest => 422,
            Self::OurFault => 500,
            Self::Unavailable => 503,
            Self::NoAnswer => 504,
        }
    }
}

/// The place where a code is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In answers of the API, and wherever else the same thing goes wrong.
    Api,
    /// Only while a data directory is made, restored or started with.
    Start,
    /// Only at the command line, which puts it into words and into `--json`.
    CommandLine,
}

macro_rules! codes {
    ($($scope:ident {
        $($(#[doc = $meaning:literal])+ $variant:ident = $name:literal, $blame:ident, $hint:literal;)*
    })*) => {
        /// A stable code for programs. On the wire it is in snake_case.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($($(#[doc = $meaning])+ $variant,)*)*
        }

        impl Code {
            /// Every code: by scope, then by status and name.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)*)*];

            /// The code in an answer.
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$variant => $name,)*)* }
            }

            /// The code of this name, if there is one.
            pub fn named(name: &str) -> Option<Self> {
                match name { $($($name => Some(Self::$variant),)*)* _ => None }
            }

            /// The code's meaning, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $($(Self::$variant => concat!($($meaning),+).trim_ascii_start(),)*)* }
            }

            /// The code's blame: it tells who has to act.
            pub const fn blame(self) -> Blame {
                match self { $($(Self::$variant => Blame::$blame,)*)* }
            }

            /// The next step for the caller, for errors that have no better hint of their own.
            pub const fn hint(self) -> &'static str {
                match self { $($(Self::$variant => $hint,)*)* }
            }

            /// The place where the code is met.
            pub const fn scope(self) -> Scope {
                match self { $($(Self::$variant => Scope::$scope,)*)* }
            }
        }
    };
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

codes! {
Api {
    /// The body cannot be read, or there is one where none is taken.
    BadBody = "bad_body", Malformed, "send what /openapi.json describes";
    /// The body does not say that it is JSON.
    BadContentType = "bad_content_type", Malformed, "send `Content-Type: application/json`";
    /// An invoice cannot live that long, or not at all.
    BadExpiry = "bad_expiry", Malformed, "choose at least a second and at most a year";
    /// A field of the body is missing, unknown, there twice, or not what it must be.
    BadField = "bad_field", Malformed, "/openapi.json describes every request";
    /// The body is not JSON.
    BadJson = "bad_json", Malformed, "/openapi.json describes every request";
    /// `Last-Event-ID` is not the number of an event.
    BadLastEventId = "bad_last_event_id", Malformed, "send the `id` of the last event as it came";
    /// A page has 1 to 1000 rows.
    BadLimit = "bad_limit", Malformed, "ask for the next page with `before`";
    /// A node id has 66 hexadecimal digits and begins with 02 or 03.
    BadNodeId = "bad_node_id", Malformed, "the status of the other node shows it";
    /// A row's number has decimal digits only.
    BadNumber = "bad_number", Malformed, "the lists show the numbers";
    /// The path of the request is not UTF-8.
    BadPath = "bad_path", Malformed, "/openapi.json lists every path";
    /// A payment hash has 64 hexadecimal digits.
    BadPaymentHash = "bad_payment_hash", Malformed, "the lists of payments and invoices show them";
    /// A preimage has 64 hexadecimal digits.
    BadPreimage = "bad_preimage", Malformed, "whoever was paid can show it";
    /// A query parameter is missing, unknown, there twice, or not what it must be.
    BadQuery = "bad_query", Malformed, "/openapi.json describes every request";
    /// A caller may wait 600 000 ms at most.
    BadWait = "bad_wait", Malformed, "wait less, and ask again";
    /// The path of a backup is not absolute.
    RelativePath = "relative_path", Malformed, "it is a path on the node's machine";
    /// The token is missing or wrong.
    Unauthorized = "unauthorized", Unauthorized,
        "send `Authorization: Bearer` and what is in api-token of the data directory";
    /// We have no channel of this id, or none with this node.
    UnknownChannel = "unknown_channel", NotFound, "the list of channels names all";
    /// There is no evidence of this number.
    UnknownEvidence = "unknown_evidence", NotFound, "the list of evidence shows all";
    /// We made no invoice with this payment hash.
    UnknownInvoice = "unknown_invoice", NotFound, "the list of invoices shows all";
    /// We keep no connection to this node.
    UnknownPeer = "unknown_peer", NotFound, "the list of peers shows those that are wanted";
    /// There is nothing at this path.
    UnknownPath = "unknown_path", NotFound, "/openapi.json lists every path";
    /// We made no payment with this hash.
    UnknownPayment = "unknown_payment", NotFound, "the list of payments shows all";
    /// This path is not asked in this way.
    WrongMethod = "wrong_method", WrongMethod, "/openapi.json lists the methods of every path";
    /// The node is our client: it has a channel with us already.
    AlreadyOurClient = "already_our_client", Refused,
        "one channel per pair of nodes is enough for both directions";
    /// We have several channels with this node.
    AmbiguousChannel = "ambiguous_channel", Refused,
        "name the channel by its own id, which the list of channels shows";
    /// No channel of ours carries so little.
    AmountBelowMinimum = "amount_below_minimum", Refused, "ask for more";
    /// The backup's file cannot be made where it was asked for.
    BackupNotPossible = "backup_not_possible", Refused,
        "check the path and its permissions, on the node's machine";
    /// The balance is more than the channel holds.
    BalanceTooHigh = "balance_too_high", Refused,
        "it is our part of the capacity; the client gets the rest";
    /// No channel can receive this amount.
    CannotReceive = "cannot_receive", Refused, "open a channel with a host, or ask for less";
    /// The client has money in the channel.
    ChannelNotEmpty = "channel_not_empty", Refused,
        "pay it out first: only the client can spend it";
    /// The channel has no signed state yet.
    ChannelNotOpen = "channel_not_open", Refused,
        "open it first: both sides must have signed a first state";
    /// The channel cannot be resized.
    ChannelNotResizable = "channel_not_resizable", Refused,
        "the host did not offer this when the channel was opened";
    /// The channel is not suspended.
    ChannelNotSuspended = "channel_not_suspended", Refused,
        "suspend it first, if it shall go on with another balance";
    /// The channel is suspended.
    ChannelSuspended = "channel_suspended", Refused, "an override makes it active again";
    /// The channel has had as many updates as it can have.
    CountersExhausted = "counters_exhausted", Refused, "open another channel";
    /// The evidence proves no balance to go on with.
    EvidenceUnusable = "evidence_unusable", Refused,
        "agree on a balance with the client, and propose that";
    /// A backup never replaces a file.
    FileExists = "file_exists", Refused, "choose another name";
    /// What listens at the address is not the node it should be.
    HandshakeFailed = "handshake_failed", Refused,
        "compare the id with what the other node's status shows";
    /// The amount is more than can be sent now.
    InsufficientBalance = "insufficient_balance", Refused,
        "receive something first, or wait for payments under way to end";
    /// The invoice has expired.
    InvoiceExpired = "invoice_expired", Refused, "ask the payee for a new one";
    /// The host proposes no balance.
    NoOverride = "no_override", Refused, "ask the host to propose one";
    /// No HTLC of ours waits for this preimage.
    NoSuchHtlc = "no_such_htlc", Refused,
        "it may have been settled, or given up as expired, before";
    /// There is no channel, or all of them wait for a person.
    NoUsableChannel = "no_usable_channel", Refused,
        "open a channel, or look at what the list of channels says about those there are";
    /// The host did not open the channel.
    OpeningFailed = "opening_failed", Refused,
        "ask the host whether it opens channels, and whether it wants a secret";
    /// The host proposes another balance by now.
    OverrideDiffers = "override_differs", Refused,
        "accept what it proposes, or ask it for another proposal";
    /// The host proposes a balance for us in this channel.
    OverrideProposed = "override_proposed", Refused,
        "accept the override, or ask the host for another proposal";
    /// The node is our host.
    PeerIsHost = "peer_is_host", Refused,
        "forget the channel, once it is empty: the connection goes with it";
    /// Nothing answers at the address.
    PeerUnreachable = "peer_unreachable", Refused,
        "is the address right, and does the other node run?";
    /// An onion address needs a proxy.
    ProxyNeeded = "proxy_needed", Refused, "run Tor and set proxy.socks5";
    /// The channel was suspended instead of resized.
    ResizeFailed = "resize_failed", Refused,
        "ask the host which capacity it agrees to, and for an override";
    /// The host has not signed the last request for a capacity yet.
    ResizePending = "resize_pending", Refused, "wait until the host has signed it";
    /// The host does not give that capacity; the channel goes on as it was.
    ResizeRefused = "resize_refused", Refused,
        "ask for less: the message says what the host gives";
    /// Another channel has the same short channel id.
    ScidCollision = "scid_collision", Refused, "choose another host";
    /// The invoice is our own.
    SelfPayment = "self_payment", Refused, "money of one's own need not be moved";
    /// So many clients cannot be forgotten.
    TooManyForgotten = "too_many_forgotten", Refused,
        "an empty channel costs nothing but its place: leave it";
    /// This is the other side's to do.
    WrongRole = "wrong_role", Refused,
        "the host proposes an override; the client accepts it, and resizes";
    /// The body is longer than 64 KiB.
    BodyTooLarge = "body_too_large", TooLarge, "/openapi.json describes every request";
    /// The address is longer than a host name can be.
    AddressTooLong = "address_too_long", BadRequest, "write node_id@host:port";
    /// The invoice names its amount: not everything can be sent to it.
    AmountFixed = "amount_fixed", BadRequest,
        "ask the payee for an invoice that leaves the amount open";
    /// The invoice leaves the amount open.
    AmountNeeded = "amount_needed", BadRequest, "say how much to pay";
    /// The amount is more than ten million bitcoin.
    AmountTooHigh = "amount_too_high", BadRequest,
        "amounts are in millisatoshi: 1000 of them are a satoshi";
    /// Both an amount and `all` were given.
    BadAmount = "bad_amount", BadRequest, "give one of them";
    /// None or several of the ways to name a balance were given.
    BadBalance = "bad_balance", BadRequest,
        "give one of `our_balance_msat`, `client_balance_msat` and `as_proved`";
    /// A capacity is a whole number of satoshi, and more than before.
    BadCapacity = "bad_capacity", BadRequest,
        "a channel can only grow; the balances stay as they are";
    /// The text is no invoice that can be paid.
    BadInvoice = "bad_invoice", BadRequest,
        "ask the payee for a BOLT11 invoice; the answer says what was given instead, and what to do";
    /// The text is no node and address.
    BadNodeAddress = "bad_node_address", BadRequest, "write node_id@host:port";
    /// The secret after `hex:` is not hexadecimal.
    BadSecret = "bad_secret", BadRequest, "without `hex:` it is taken as text";
    /// The description is longer than an invoice can carry.
    DescriptionTooLong = "description_too_long", BadRequest,
        "shorten it: what counts is its length in bytes, at most 639";
    /// No invoice can say this.
    InvoiceNotPossible = "invoice_not_possible", BadRequest,
        "ask for another amount, or with another description";
    /// The digits have the form of a node id, but are no public key.
    NotAPublicKey = "not_a_public_key", BadRequest, "copy the node id again, all of it";
    /// The node is this one.
    OwnNode = "own_node", BadRequest, "name another node";
    /// The secret is longer than 128 bytes.
    SecretTooLong = "secret_too_long", BadRequest, "use the secret that the host gave out";
    /// So many addresses are not kept of one peer.
    TooManyAddresses = "too_many_addresses", BadRequest, "name the best of them";
    /// We have no channel with the host named as `via`, or not its terms.
    UnknownHost = "unknown_host", BadRequest, "`via` must be one of our own hosts";
    /// The invoice names another amount.
    WrongAmount = "wrong_amount", BadRequest, "leave the amount out: the invoice names it";
    /// The invoice was made for another chain.
    WrongNetwork = "wrong_network", BadRequest, "ask the payee for one of this network";
    /// Nothing cannot be sent or asked for.
    ZeroAmount = "zero_amount", BadRequest,
        "name an amount above 0; without any, an invoice's payer chooses";
    /// A bug: something was to be stored that contradicts itself.
    BadRow = "bad_row", OurFault, "this is a bug: please report it with the log";
    /// A bug.
    Bug = "bug", OurFault, "this is a bug: please report it with the log";
    /// The chain source turned out to be unusable: the node stops.
    ChainSourceUnusable = "chain_source_unusable", OurFault,
        "see the log, and what the doctor says about the chain source";
    /// The database cannot be read.
    DatabaseDamaged = "database_damaged", OurFault,
        "stop the node and see what recovery says about restoring a backup";
    /// The database refuses.
    DatabaseError = "database_error", OurFault, "see the log";
    /// The database is gone.
    DatabaseNotFound = "database_not_found", OurFault, "stop the node: is the right disk mounted?";
    /// The disk is full.
    DiskFull = "disk_full", OurFault,
        "free some space, then start the node again; nothing was lost";
    /// The disk cannot be read or written.
    IoError = "io_error", OurFault, "check the disk, its mount and the file's permissions";
    /// The operating system gives no random bytes.
    NoRandomness = "no_randomness", OurFault, "check the system's sandbox";
    /// Another program writes into the database.
    SecondWriter = "second_writer", OurFault, "stop the other program, then start the node again";
    /// A commit failed: the node stops.
    StoreFailed = "store_failed", OurFault, "see the log; nothing that was confirmed is lost";
    /// The store has stopped after an error.
    StoreStopped = "store_stopped", OurFault,
        "see the first error in the log, then start the node again";
    /// The block height is not known yet.
    ChainUnknown = "chain_unknown", Unavailable,
        "try again when the chain source has answered; the doctor checks it";
    /// Another program holds the database.
    DatabaseBusy = "database_busy", Unavailable,
        "close the other program; read the database in read-only mode";
    /// HTLCs of this channel are on their way to others.
    HtlcsInFlight = "htlcs_in_flight", Unavailable, "wait until they are settled or have expired";
    /// No channel is active at the moment.
    NoActiveChannel = "no_active_channel", Unavailable,
        "wait until a host is connected again; the list of channels tells the state of each";
    /// Too many commands wait for their answer.
    NodeBusy = "node_busy", Unavailable, "try again in a moment";
    /// The node is stopping or has stopped.
    NodeStopped = "node_stopped", Unavailable, "start it again";
    /// The peer is not connected.
    PeerNotConnected = "peer_not_connected", Unavailable, "try again when the peer is connected";
    /// Too many invoices are open.
    TooManyInvoices = "too_many_invoices", Unavailable, "wait until some are paid or have expired";
    /// Too many payments are under way.
    TooManyPayments = "too_many_payments", Unavailable, "wait until some have ended";
    /// Too many requests are being answered.
    TooManyRequests = "too_many_requests", Unavailable, "try again in a moment";
    /// Too many programs listen to events.
    TooManySubscribers = "too_many_subscribers", Unavailable, "close one of them";
    /// The node did not answer in time.
    Timeout = "timeout", NoAnswer,
        "what was asked may still be carried out: look before you ask again";
}

Start {
    /// The record of a channel cannot be read: the database is damaged.
    ChannelRecordUnreadable = "channel_record_unreadable", OurFault,
        "restore a backup, and only a recent one";
    /// The configuration cannot be used.
    ConfigInvalid = "config_invalid", BadRequest,
        "the message names the line, the variable or the flag";
    /// Another process uses the data directory.
    DataDirLocked = "data_dir_locked", Unavailable,
        "stop the other process, or choose another data directory";
    /// The data directory cannot be used.
    DataDirUnusable = "data_dir_unusable", BadRequest,
        "check the path, and that its disk is mounted";
    /// A backup is not restored over a database that may be worth something.
    DatabaseInTheWay = "database_in_the_way", Refused,
        "start with the database that is there, if it can be used: the newest state is the one that holds";
    /// The file of the database has a second name, a hard link.
    DatabaseLinked = "database_linked", OurFault,
        "remove the other name, or make a copy in its place";
    /// The database, or a file beside it, cannot be written.
    DatabaseReadOnly = "database_read_only", OurFault,
        "check the permissions, and that the disk is not mounted read-only";
    /// The database was moved, removed or replaced while the node ran.
    DatabaseReplaced = "database_replaced", OurFault,
        "put the newest database back, or see what recovery says";
    /// A newer steward wrote the database.
    DatabaseTooNew = "database_too_new", OurFault, "run the version that wrote it, or a newer one";
    /// The node has clients, and its configuration does not say that it is a host.
    HostNotEnabled = "host_not_enabled", BadRequest, "set host.enabled = true";
    /// The node cannot listen on an address of its configuration.
    ListenFailed = "listen_failed", BadRequest,
        "another program may use the port: see what the doctor says, or set listen.addresses";
    /// There is no node in the data directory.
    NoNode = "no_node", BadRequest,
        "check the path, and that its disk is mounted; or make a new node";
    /// The operating system gives no thread.
    NoThread = "no_thread", OurFault, "check the limits of the system on threads and memory";
    /// There is a node in the data directory already.
    NodeExists = "node_exists", BadRequest,
        "start it, or choose another data directory for another node";
    /// The file is no database of steward.
    NotOurDatabase = "not_our_database", OurFault,
        "check the data directory; the file was left as it is";
    /// There is a seed in the data directory already.
    SeedExists = "seed_exists", Refused, "choose another data directory for another seed";
    /// The words are no seed.
    SeedInvalid = "seed_invalid", BadRequest, "compare them with what was written down";
    /// The seed does not fit the channels of the database.
    SeedMismatch = "seed_mismatch", BadRequest, "the data directory belongs to another seed";
    /// The data directory has no seed.
    SeedMissing = "seed_missing", BadRequest,
        "restore the seed from its words, or choose another data directory";
    /// The words of the seed were never shown.
    SeedNotShown = "seed_not_shown", Refused,
        "have them shown, and write them down: with the disk the seed is gone";
    /// Other users can read the seed.
    SeedReadable = "seed_readable", Refused, "take that right from them (chmod 600)";
    /// The seed cannot be read or written.
    SeedUnreadable = "seed_unreadable", OurFault,
        "check the path, and that this user may read and write there";
    /// The database belongs to another node.
    WrongNode = "wrong_node", BadRequest,
        "restore the key that belongs to this database; one data directory per node";
}

CommandLine {
    /// The API cannot listen on its address.
    ApiListenFailed = "api_listen_failed", BadRequest,
        "choose another api.address, if another program uses the port";
    /// The answer of the daemon cannot be read.
    BadAnswer = "bad_answer", OurFault,
        "does another program use its port, or is it another version?";
    /// An id is not hexadecimal.
    BadId = "bad_id", BadRequest, "copy the whole id";
    /// The text is no snapshot of a channel.
    BadSnapshot = "bad_snapshot", BadRequest, "it is the field `snapshot` of a channel";
    /// The certificate of the API cannot be used.
    CertificateUnusable = "certificate_unusable", BadRequest, "see the message";
    /// The doctor found what must be mended.
    ChecksFailed = "checks_failed", Refused, "see the hints of its checks";
    /// A channel of the playground or of the demo did not become active.
    ChannelNotActive = "channel_not_active", NoAnswer, "see the end of the node's log";
    /// A channel of the playground or of the demo has HTLCs that did not end.
    ChannelNotSettled = "channel_not_settled", NoAnswer, "see the end of the node's log";
    /// A node of the playground or of the demo did not start.
    ChildNotStarted = "child_not_started", OurFault, "see the end of its log";
    /// A node of the playground or of the demo did not stop in order.
    ChildNotStopped = "child_not_stopped", OurFault, "see the end of its log";
    /// The connection to the daemon was lost.
    ConnectionLost = "connection_lost", NoAnswer,
        "what was asked may still be carried out: look before you ask again";
    /// The daemon is starting, or ending.
    DaemonNotReady = "daemon_not_ready", Unavailable, "try again in a moment; its log says more";
    /// No daemon runs in the data directory.
    DaemonNotRunning = "daemon_not_running", Unavailable,
        "start it, or name another data directory";
    /// The demo did not go as it must.
    DemoFailed = "demo_failed", OurFault, "see the logs of its nodes";
    /// The signature of the host does not hold: nothing is proved against it.
    HostSignatureMissing = "host_signature_missing", Refused,
        "ask for the state again; if it stays so, the host has not signed it";
    /// Two places name different networks.
    NetworkDiffers = "network_differs", Refused,
        "make both say the same, or choose another data directory";
    /// The words of the seed are shown on a terminal only.
    NotATerminal = "not_a_terminal", Refused,
        "add --yes if they shall go into a file or another program";
    /// A person has to confirm what would be done.
    NotConfirmed = "not_confirmed", Refused, "read what the message says, then confirm it";
    /// The host has not answered yet.
    NotOpenYet = "not_open_yet", NoAnswer, "the daemon keeps asking: look at the channel later";
    /// The payment failed, and no reason was given.
    PaymentFailed = "payment_failed", Refused, "the payment shows what was tried";
    /// Neither signature of the state holds: it proves nothing.
    SignatureInvalid = "signature_invalid", Refused,
        "ask for the state again; if it stays so, somebody changed it";
    /// No channel of these two nodes can have this state: it proves nothing.
    StateImpossible = "state_impossible", Refused,
        "ask for the state again; if it stays so, do not rely on it";
    /// The daemon has not ended yet.
    StillStopping = "still_stopping", NoAnswer, "see its log; it ends when everything is durable";
    /// The token of the API cannot be read or made.
    TokenUnusable = "token_unusable", BadRequest, "see the message";
    /// The command line cannot be read.
    Usage = "usage", BadRequest, "see the help";
}
}
