//! The engine of one connection: frames in, frames out, sessions in between.
//! Never does input or output, and never reads a clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::amqp::{AmqpError, Performative, Value, code, frame};
use super::super::shared::SharedState;
use super::context::{ConnectionContext, ProtocolFault};
use super::grants::TokenGrants;
use super::session::Session;

/// The idle time-out that `open` announces.
pub(super) const IDLE_MS: u32 = 120_000;
/// Stop filling the buffer here and let the socket take it.
const BUFFERED: usize = 256 * 1024;
/// The highest channel and handle.
const CHANNEL_MAX: u16 = 4_999;

/// One connection's state.
#[derive(Debug)]
pub(super) struct Engine {
    context: ConnectionContext,
    sessions: BTreeMap<u16, Session>,
    opened: bool,
    pub(super) out: Vec<u8>,
    pub(super) closed: bool,
    pub(super) peer_idle: Option<Duration>,
}

impl Engine {
    pub(super) fn new(shared: Arc<SharedState>, grants: TokenGrants) -> Self {
        Self {
            context: ConnectionContext {
                shared,
                grants,
                max_frame: frame::MIN_FRAME,
                now: 0,
            },
            sessions: BTreeMap::new(),
            opened: false,
            out: Vec::new(),
            closed: false,
            peer_idle: None,
        }
    }

    /// Answers one frame.
    pub(super) fn frame(&mut self, frame: &frame::Frame, now: i64) {
        self.context.now = now;
        if let Err(fault) = self.handle(frame) {
            self.fail(fault, frame.channel);
        }
    }

    /// Ends what the fault says.
    pub(super) fn fail(&mut self, fault: ProtocolFault, channel: u16) {
        match fault {
            ProtocolFault::Cut => self.closed = true,
            ProtocolFault::Connection(error) => {
                error.log("a connection is ended");
                if !self.opened {
                    self.open_reply();
                }
                self.write(0, Performative::new(code::CLOSE, vec![error.value()]));
                self.closed = true;
            }
            ProtocolFault::Session(error) => {
                error.log("a session is ended");
                self.write(channel, Performative::new(code::END, vec![error.value()]));
                if let Some(session) = self.sessions.get_mut(&channel) {
                    session.close();
                }
            }
            ProtocolFault::Link(handle, error) => {
                if let Some(session) = self.sessions.get_mut(&channel) {
                    session.refuse(handle, &error, &mut self.out);
                }
            }
        }
    }

    /// Lets every token of the connection run out.
    pub(super) fn expire_tokens(&mut self) {
        self.context.grants.expire();
    }

    /// The time at which the next token runs out.
    pub(super) fn next_expiry(&self) -> Option<i64> {
        self.context.grants.next_expiry()
    }

    /// Ends links whose token ran out, and sends what receivers have credit for; true when there may be more.
    pub(super) fn pump(&mut self, now: i64) -> bool {
        if self.closed {
            return false;
        }
        self.context.now = now;
        if self.context.grants.forget(now) {
            for session in self.sessions.values_mut() {
                session.detach_unauthorized(&self.context, &mut self.out);
            }
        }
        self.sessions
            .values_mut()
            .any(|session| session.pump(&self.context, &mut self.out, BUFFERED))
    }

    fn handle(&mut self, frame: &frame::Frame) -> Result<(), ProtocolFault> {
        if frame.kind != frame::AMQP {
            return Err(ProtocolFault::Connection(AmqpError::new(
                code::FRAMING_ERROR,
                "expected an AMQP frame",
            )));
        }
        if frame.body.is_empty() {
            return Ok(());
        }
        let (performative, payload) = Performative::read(&frame.body)?;
        let channel = frame.channel;
        match performative.code {
            code::OPEN if !self.opened => self.open(&performative),
            _ if !self.opened => Err(not_allowed("the connection is not open")),
            code::BEGIN => self.begin(channel, &performative),
            code::CLOSE => {
                self.write(0, Performative::new(code::CLOSE, Vec::new()));
                self.closed = true;
                Ok(())
            }
            code::END => {
                let closed = self
                    .sessions
                    .remove(&channel)
                    .ok_or_else(|| not_allowed("no such channel"))?;
                if !closed.is_closing() {
                    self.write(channel, Performative::new(code::END, Vec::new()));
                }
                Ok(())
            }
            _ => {
                let session = self
                    .sessions
                    .get_mut(&channel)
                    .ok_or_else(|| not_allowed("no such channel"))?;
                if session.is_closing() {
                    return Ok(());
                }
                session.handle(&performative, payload, &mut self.context, &mut self.out)
            }
        }
    }

    fn open(&mut self, open: &Performative) -> Result<(), ProtocolFault> {
        let limit = open
            .field(2)
            .number()
            .map_or(frame::MAX_FRAME, |limit| limit.min(1 << 30) as usize);
        if limit < frame::MIN_FRAME {
            return Err(ProtocolFault::Connection(AmqpError::new(
                code::INVALID_FIELD,
                "max-frame-size is too small",
            )));
        }
        self.context.max_frame = limit.min(frame::MAX_FRAME);
        self.peer_idle = open
            .field(4)
            .small()
            .filter(|idle| *idle > 0)
            .map(|idle| Duration::from_millis(idle.into()));
        self.open_reply();
        Ok(())
    }

    fn open_reply(&mut self) {
        self.opened = true;
        let fields = vec![
            Value::string("servicebus-emulator"),
            Value::Null,
            Value::Uint(frame::MAX_FRAME as u32),
            Value::Ushort(CHANNEL_MAX),
            Value::Uint(IDLE_MS),
        ];
        self.write(0, Performative::new(code::OPEN, fields));
    }

    fn begin(&mut self, channel: u16, begin: &Performative) -> Result<(), ProtocolFault> {
        if channel > CHANNEL_MAX || self.sessions.contains_key(&channel) {
            return Err(not_allowed("the channel is in use or too high"));
        }
        let session = Session::begin(channel, begin)?;
        self.write(channel, session.begin_reply());
        self.sessions.insert(channel, session);
        Ok(())
    }

    fn write(&mut self, channel: u16, performative: Performative) {
        frame::write(&mut self.out, frame::AMQP, channel, &performative, &[]);
    }
}

fn not_allowed(text: &'static str) -> ProtocolFault {
    ProtocolFault::Connection(AmqpError::new(code::NOT_ALLOWED, text))
}
