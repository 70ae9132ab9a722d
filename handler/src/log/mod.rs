//! The event log, for those who only read it: rebuilds, replays, verification, and operators who look.
//! Never writes. Never a cursor over live traffic: positions of different streams become visible out of order, so a scan stops
//! at the position that was the last when it began, and what comes later must reach its reader another way.

mod backlog;
mod entry;
mod reader;
mod selection;
mod store;
mod trace;

pub use backlog::{COUNT_BACKLOG, OutboxBacklog};
pub use entry::{EVENT_COLUMNS, EntryResult, LogEntry, UnreadableEntry, read_entry};
pub use reader::EventLog;
pub use selection::{EventSelection, PositionRange, SelectedPage, SelectionCount};
pub use store::LogStore;
pub use trace::{OutboxState, TracedEvent};
