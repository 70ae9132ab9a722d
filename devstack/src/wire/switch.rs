//! What every connection of a wire watches: which way bytes may go, and whether it has been cut.
//! It never touches a connection itself.

use std::{io, sync::Arc};

use tokio::sync::watch;

/// The moment at which a wire stops at something that a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The server never gets it.
    Before,
    /// The server gets it, and the client never hears what came of it.
    After,
}

/// The present behaviour of a wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum WireMode {
    /// Bytes pass.
    #[default]
    Open,
    /// Connections stay, and nothing passes.
    Paused,
    /// Connections stay, and only what clients send passes.
    HoldAnswers,
    /// Connections stay, and only what servers send passes.
    HoldRequests,
    /// Every connection is broken, and new ones with it.
    Cut,
}

/// The direction of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the client to the server.
    Requests,
    /// From the server to the client.
    Answers,
}

/// The state that all connections share.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Switch {
    pub(super) mode: WireMode,
    /// The number of cuts: one that is over at once has broken every connection all the same.
    cuts: u64,
    /// True when the last cut lets servers have what their clients sent before it.
    requests_first: bool,
    /// The number of pieces that clients have sent since the wire was last told where to stop, each as it came out of the network.
    sent: u64,
    /// At which of them it stops.
    stop: Option<(u64, Moment)>,
    /// After how many more bytes of which way every connection breaks.
    breaks: Option<(Direction, usize)>,
    /// It has stopped there, or broken there.
    pub(super) stopped: bool,
}

impl Switch {
    pub(super) fn stop_at(&mut self, piece: u64, moment: Moment) {
        self.sent = 0;
        self.stop = Some((piece, moment));
        self.stopped = false;
    }

    pub(super) fn break_after(&mut self, way: Direction, bytes: usize) {
        self.breaks = Some((way, bytes));
        self.stopped = false;
    }

    /// Counts bytes that have passed. True when that was the last of them.
    fn pass(&mut self, way: Direction, bytes: usize) -> bool {
        match &mut self.breaks {
            Some((counted, left)) if *counted == way => {
                *left = left.saturating_sub(bytes);
                *left == 0
            }
            _ => false,
        }
    }

    /// Breaks the connections of now, and no later one.
    fn sever(&mut self) {
        self.breaks = None;
        self.requests_first = false;
        self.cuts += 1;
        self.stopped = true;
    }

    /// Counts a piece; the moment, when the wire is to stop at this one.
    fn count(&mut self) -> Option<Moment> {
        self.sent += 1;
        let (piece, moment) = self.stop?;
        (piece == self.sent).then_some(moment)
    }

    fn stop(&mut self, mode: WireMode) {
        self.turn(mode);
        self.stopped = true;
    }

    pub(super) fn turn(&mut self, mode: WireMode) {
        self.mode = mode;
        self.stop = None;
        self.breaks = None;
    }

    pub(super) fn cut(&mut self) {
        self.requests_first = match self.mode {
            WireMode::Cut => self.requests_first,
            mode => mode == WireMode::HoldAnswers,
        };
        self.mode = WireMode::Cut;
        self.cuts += 1;
    }

    fn lets(self, way: Direction) -> bool {
        match self.mode {
            WireMode::Open => true,
            WireMode::HoldAnswers => way == Direction::Requests,
            WireMode::HoldRequests => way == Direction::Answers,
            WireMode::Paused | WireMode::Cut => false,
        }
    }
}

/// The switch as one connection sees it.
pub(super) struct Line {
    turn: Arc<watch::Sender<Switch>>,
    switch: watch::Receiver<Switch>,
    /// The cuts before the connection was made.
    cuts: u64,
}

impl Line {
    pub(super) fn new(turn: Arc<watch::Sender<Switch>>) -> Self {
        let switch = turn.subscribe();
        let cuts = switch.borrow().cuts;
        Self { turn, switch, cuts }
    }

    /// Counts what has been read from a client. True when the wire is to stop when it has been passed on.
    pub(super) fn sent(&self) -> bool {
        let mut after = false;
        self.turn.send_if_modified(|switch| match switch.count() {
            Some(Moment::Before) => {
                switch.stop(WireMode::Paused);
                true
            }
            moment => {
                after = moment == Some(Moment::After);
                false
            }
        });
        after
    }

    /// The number of bytes that may go this way before all breaks.
    pub(super) fn room(&self, way: Direction) -> usize {
        match self.switch.borrow().breaks {
            Some((counted, left)) if counted == way => left,
            _ => usize::MAX,
        }
    }

    /// Counts bytes that have gone this way, and breaks every connection at the last that may.
    pub(super) fn passed(&self, way: Direction, bytes: usize) {
        self.turn.send_if_modified(|switch| {
            let last = switch.pass(way, bytes);
            if last {
                switch.sever();
            }
            last
        });
    }

    /// Stops now, with what was sent passed on and what comes back held.
    pub(super) fn stop(&self) {
        self.turn.send_modify(|switch| switch.stop(WireMode::HoldAnswers));
    }

    /// Waits until this connection is cut; whether its server gets first what its client has sent.
    pub(super) async fn cut(&self) -> bool {
        let mut switch = self.switch.clone();
        let cut = switch.wait_for(|switch| self.is_cut(*switch)).await;
        // An error means that the proxy itself is gone, and then nothing is owed to anybody.
        cut.is_ok_and(|switch| switch.requests_first)
    }

    /// Waits until bytes may go this way; an error means that the proxy itself is gone.
    pub(super) async fn passes(&self, way: Direction) -> io::Result<()> {
        self.wait_for(|switch| switch.lets(way) && !self.is_cut(switch))
            .await
    }

    /// Waits until the server may be reached, which a paused wire does not even try.
    pub(super) async fn reaches(&self) -> io::Result<()> {
        self.wait_for(|switch| switch.mode != WireMode::Paused).await
    }

    fn is_cut(&self, switch: Switch) -> bool {
        switch.mode == WireMode::Cut || switch.cuts != self.cuts
    }

    async fn wait_for(&self, mut wanted: impl FnMut(Switch) -> bool) -> io::Result<()> {
        let mut switch = self.switch.clone();
        let reached = switch.wait_for(|switch| wanted(*switch)).await;
        reached.map(|_| ()).map_err(io::Error::other)
    }
}
