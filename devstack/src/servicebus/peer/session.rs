//! One AMQP session: its windows, its links and the deliveries that await an outcome.
//! Never sends more transfers than the peer's window allows.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use uuid::Uuid;

use super::super::amqp::{AmqpError, Malformed, Performative, Value, code, frame};
use super::super::broker::{Entity, InletId, QueueId};
use super::context::{ConnectionContext, ProtocolFault};
use super::grants::claims;
use super::replies::Replies;

/// Transfers this side takes before it must widen the window.
pub(super) const WINDOW: u32 = 2_048;
const HANDLE_MAX: u32 = 255;
/// The node that takes tokens, which needs none itself.
pub(super) const CBS: &str = "$cbs";

/// The origin of a receiver's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReceiverSource {
    Queue(QueueId),
    /// Only from requests on the same node.
    Replies,
}

/// A link the client receives on.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The names a request may give as `reply-to`.
    pub(super) names: [String; 2],
    pub(super) node: String,
    pub(super) origin: ReceiverSource,
    pub(super) settled: bool,
    pub(super) delivery_count: u32,
    pub(super) credit: u32,
    pub(super) drain: bool,
    /// The largest message the client takes here, in bytes.
    pub(super) max_message: usize,
    pub(super) replies: Replies,
}

/// The destination of a sender's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SenderTarget {
    Publish(InletId),
    Cbs,
    Management(Entity),
}

/// A delivery of which more transfers are to come.
#[derive(Debug)]
pub(super) struct PartialDelivery {
    pub(super) id: u32,
    pub(super) format: u32,
    pub(super) settled: bool,
    /// The bytes that have come, kept or not.
    pub(super) size: usize,
    pub(super) bytes: Vec<u8>,
}

/// A link the client sends on.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) node: String,
    pub(super) sink: SenderTarget,
    pub(super) delivery_count: u32,
    pub(super) credit: u32,
    pub(super) partial: Option<PartialDelivery>,
}

#[derive(Debug)]
pub(super) enum Link {
    Outgoing(Outgoing),
    Incoming(Incoming),
    /// Detached by this side: what still arrives is dropped until the client detaches too.
    Closing,
}

/// A delivery under a lock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unsettled {
    pub(super) handle: u32,
    pub(super) queue: QueueId,
    pub(super) token: Uuid,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) channel: u16,
    pub(super) next_incoming: u32,
    pub(super) incoming_left: u32,
    pub(super) next_outgoing: u32,
    pub(super) outgoing_left: u32,
    pub(super) next_delivery: u32,
    pub(super) links: BTreeMap<u32, Link>,
    pub(super) unsettled: BTreeMap<u32, Unsettled>,
    /// Transfer frames that wait for the peer's window.
    pub(super) pending: VecDeque<Vec<u8>>,
    closing: bool,
}

impl Session {
    pub(super) fn begin(channel: u16, begin: &Performative) -> Result<Self, Malformed> {
        Ok(Self {
            channel,
            next_incoming: begin.uint(1)?,
            incoming_left: WINDOW,
            next_outgoing: 1,
            outgoing_left: begin.uint(2)?,
            next_delivery: 0,
            links: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            pending: VecDeque::new(),
            closing: false,
        })
    }

    pub(super) fn begin_reply(&self) -> Performative {
        let fields = vec![
            Value::Ushort(self.channel),
            Value::Uint(self.next_outgoing),
            Value::Uint(WINDOW),
            Value::Uint(WINDOW),
            Value::Uint(HANDLE_MAX),
        ];
        Performative::new(code::BEGIN, fields)
    }

    /// Drops everything but the fact that the client has yet to end the session.
    pub(super) fn close(&mut self) {
        self.closing = true;
        self.links.clear();
        self.unsettled.clear();
        self.pending.clear();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Answers a frame of this session.
    pub(super) fn handle(
        &mut self,
        performative: &Performative,
        payload: Bytes,
        context: &mut ConnectionContext,
        out: &mut Vec<u8>,
    ) -> Result<(), ProtocolFault> {
        match performative.code {
            code::ATTACH => self.attach(performative, context, out),
            code::FLOW => self.flow(performative, out),
            code::TRANSFER => self.transfer(performative, &payload, context, out),
            code::DISPOSITION => self.disposition(performative, context, out),
            code::DETACH => self.detach(performative, out),
            _ => Err(Malformed.into()),
        }
    }

    pub(super) fn handle_in_range(handle: u32) -> bool {
        handle <= HANDLE_MAX
    }

    fn flow(&mut self, flow: &Performative, out: &mut Vec<u8>) -> Result<(), ProtocolFault> {
        // Before the peer has seen `begin` it cannot know the first id.
        let expected = flow.field(0).small().unwrap_or(1);
        let in_flight = self.next_outgoing.wrapping_sub(expected);
        self.outgoing_left = flow.uint(1)?.saturating_sub(in_flight);
        let echo = flow.field(9).flag();
        let Some(handle) = flow.field(4).small() else {
            if echo {
                self.write(out, self.flow_frame(None));
            }
            return Ok(());
        };
        match self.links.get_mut(&handle) {
            Some(Link::Outgoing(link)) => {
                let count = flow.field(5).small().unwrap_or(0);
                let credit = flow.field(6).small().unwrap_or(0);
                let ahead = link.delivery_count.wrapping_sub(count);
                link.credit = credit.saturating_sub(ahead);
                link.drain = flow.field(8).flag();
            }
            Some(_) => {}
            None => {
                return Err(ProtocolFault::session(
                    code::UNATTACHED_HANDLE,
                    "flow on an unknown handle",
                ));
            }
        }
        if echo {
            self.write(out, self.flow_frame(Some(handle)));
        }
        Ok(())
    }

    /// The state of the session, and of one link.
    pub(super) fn flow_frame(&self, handle: Option<u32>) -> Performative {
        let mut fields = vec![
            Value::Uint(self.next_incoming),
            Value::Uint(self.incoming_left),
            Value::Uint(self.next_outgoing),
            Value::Uint(WINDOW),
        ];
        let state = handle.and_then(|handle| match self.links.get(&handle)? {
            Link::Outgoing(link) => Some((handle, link.delivery_count, link.credit, link.drain)),
            Link::Incoming(link) => Some((handle, link.delivery_count, link.credit, false)),
            Link::Closing => None,
        });
        if let Some((handle, count, credit, drain)) = state {
            fields.extend([handle, count, credit, 0].map(Value::Uint));
            fields.push(Value::Bool(drain));
        }
        Performative::new(code::FLOW, fields)
    }

    fn detach(&mut self, detach: &Performative, out: &mut Vec<u8>) -> Result<(), ProtocolFault> {
        let handle = detach.uint(0)?;
        match self.links.remove(&handle) {
            Some(Link::Closing) | None => return Ok(()),
            Some(_) => {}
        }
        // Locks outlive the link, as they do in Azure: they end by `$management` or by time.
        self.unsettled.retain(|_, delivery| delivery.handle != handle);
        let closed = Value::Bool(detach.field(1).flag());
        self.write(
            out,
            Performative::new(code::DETACH, vec![Value::Uint(handle), closed]),
        );
        Ok(())
    }

    /// Detaches the links that no token reaches any more.
    pub(super) fn detach_unauthorized(&mut self, context: &ConnectionContext, out: &mut Vec<u8>) {
        let lost = |(handle, link): (&u32, &Link)| {
            let (node, receives) = match link {
                Link::Outgoing(link) => (&link.node, true),
                Link::Incoming(link) => (&link.node, false),
                Link::Closing => return None,
            };
            let checked = context.grants.check(node, claims(node, receives), context.now);
            checked.err().filter(|_| node != CBS).map(|text| (*handle, text))
        };
        let lost: Vec<_> = self.links.iter().filter_map(lost).collect();
        for (handle, text) in lost {
            self.refuse(handle, &AmqpError::new(code::UNAUTHORIZED, text), out);
        }
    }

    /// Detaches a link with an error.
    pub(super) fn refuse(&mut self, handle: u32, error: &AmqpError, out: &mut Vec<u8>) {
        error.log("a link is refused");
        let fields = vec![Value::Uint(handle), Value::Bool(true), error.value()];
        self.write(out, Performative::new(code::DETACH, fields));
        self.unsettled.retain(|_, delivery| delivery.handle != handle);
        self.links.insert(handle, Link::Closing);
    }

    pub(super) fn write(&self, out: &mut Vec<u8>, performative: Performative) {
        frame::write(out, frame::AMQP, self.channel, &performative, &[]);
    }
}
