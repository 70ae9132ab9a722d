//! All that can go wrong in a run: each kind of trouble with its name and how often it may strike.
//! Never decides what a trouble does: that is with the part that it strikes.

/// One list makes the enum and the table, in one order.
macro_rules! troubles {
    ($($trouble:ident, $most:literal, $name:literal;)+) => {
        /// A kind of trouble.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Trouble {
            $($trouble,)+
        }

        /// In the order of the enum: what it is, and how many of a thousand chances it takes at most.
        pub(crate) const TROUBLES: [(&str, u64); KINDS] = [$(($name, $most),)+];

        /// The number of kinds.
        pub(crate) const KINDS: usize = [$(Trouble::$trouble,)+].len();
    };
}

troubles! {
    DatabaseAway, 300, "database: cannot be reached";
    CommitLost, 300, "database: gone before a commit";
    CommitUnheard, 300, "database: gone after a commit, before its answer";
    LockLingers, 500, "database: a vanished drainer's lock stays for 30 s";
    BusAway, 200, "bus: cannot be reached";
    BusBusy, 300, "bus: server-busy";
    SendLost, 200, "bus: cut before a batch was stored";
    SendLate, 150, "bus: a batch is stored after its sender has given up";
    SendUnheard, 200, "bus: cut after a batch was stored";
    SendRefused, 1_000, "bus: refuses a batch for one event in it";
    LockLost, 250, "bus: a message's lock is lost while it is worked on";
    CompletionLost, 200, "bus: a completion is lost";
    DeliveredTwice, 200, "bus: a message lies there twice";
    Overtaken, 900, "bus: a message is overtaken by later ones";
    Rubbish, 1_000, "bus: a message that nobody can read";
    Throttled, 300, "store: 429 with retry-after";
    Contended, 150, "store: 449";
    StoreFailed, 150, "store: 503, nothing written";
    WriteUnheard, 150, "store: 503, and yet written";
    RequestLost, 60, "store: no answer, nothing written";
    WriteLate, 60, "store: no answer, and written later";
    StaleRead, 300, "store: a read of a replica that lags";
    Outage, 1_000, "store: away for all for a while";
    Crash, 1_000, "process: killed, and started again with no memory";
    Stalled, 60, "process: stands still before it sends, for up to 90 s";
}
