//! All that can go wrong in a run: each kind of trouble with its name and how often it may strike.
//! Never decides what a trouble does: that is with whoever it strikes.

/// A kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    DatabaseAway,
    CommitLost,
    CommitUnheard,
    LockLingers,
    BusAway,
    BusBusy,
    SendLost,
    SendLate,
    SendUnheard,
    SendRefused,
    LockLost,
    CompletionLost,
    DeliveredTwice,
    Overtaken,
    Rubbish,
    Throttled,
    Contended,
    StoreFailed,
    WriteUnheard,
    RequestLost,
    WriteLate,
    StaleRead,
    Outage,
    Crash,
}

use Trouble::{
    BusAway, BusBusy, CommitLost, CommitUnheard, CompletionLost, Contended, Crash, DatabaseAway,
    DeliveredTwice, LockLingers, LockLost, Outage, Overtaken, RequestLost, Rubbish, SendLate, SendLost,
    SendRefused, SendUnheard, StaleRead, StoreFailed, Throttled, WriteLate, WriteUnheard,
};

/// How many kinds there are.
pub(crate) const KINDS: usize = 24;

/// In the order of the enum: what it is, and how many of a thousand chances it takes at most.
pub(crate) const TROUBLES: [(Trouble, &str, u64); KINDS] = [
    (DatabaseAway, "database: cannot be reached", 300),
    (CommitLost, "database: gone before a drain's commit", 300),
    (
        CommitUnheard,
        "database: gone after a drain's commit, before its answer",
        300,
    ),
    (
        LockLingers,
        "database: a vanished drainer's lock stays for 30 s",
        500,
    ),
    (BusAway, "bus: cannot be reached", 200),
    (BusBusy, "bus: server-busy", 300),
    (SendLost, "bus: cut before a batch was stored", 200),
    (
        SendLate,
        "bus: a batch is stored after its sender has given up",
        150,
    ),
    (SendUnheard, "bus: cut after a batch was stored", 200),
    (SendRefused, "bus: refuses a batch for one event in it", 1_000),
    (
        LockLost,
        "bus: a message's lock is lost while it is worked on",
        250,
    ),
    (CompletionLost, "bus: a completion is lost", 200),
    (DeliveredTwice, "bus: a message lies there twice", 200),
    (Overtaken, "bus: a message is overtaken by later ones", 900),
    (Rubbish, "bus: a message that nobody can read", 1_000),
    (Throttled, "store: 429 with retry-after", 300),
    (Contended, "store: 449", 150),
    (StoreFailed, "store: 503, nothing written", 150),
    (WriteUnheard, "store: 503, and yet written", 150),
    (RequestLost, "store: no answer, nothing written", 60),
    (WriteLate, "store: no answer, and written later", 60),
    (StaleRead, "store: a read of a replica that lags", 300),
    (Outage, "store: away for all for a while", 1_000),
    (Crash, "process: killed, and started again with no memory", 1_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (place, (trouble, name, most)) in TROUBLES.iter().enumerate() {
            assert_eq!(*trouble as usize, place, "{name}");
            assert!((1..=1_000).contains(most), "{name}");
        }
    }
}
