//! Deliveries to the client and the outcomes it answers with.
//! Never takes a message from a queue without credit and window for it.

use bytes::Bytes;

use super::super::amqp::{AmqpError, Performative, Value, code, frame};
use super::super::broker::Outcome;
use super::super::message::simple;
use super::context::{ConnectionContext, ProtocolFault};
use super::session::{Link, ReceiverSource, Session, Unsettled};

impl Session {
    /// Sends what links have credit for; true when the buffer filled up before they were done.
    pub(super) fn pump(&mut self, context: &ConnectionContext, out: &mut Vec<u8>, limit: usize) -> bool {
        let handles: Vec<u32> = self.links.keys().copied().collect();
        for handle in handles {
            loop {
                self.flush(out);
                if out.len() >= limit {
                    return true;
                }
                if !self.pending.is_empty() || self.outgoing_left == 0 || !self.deliver(handle, context) {
                    break;
                }
            }
            self.drained(handle, out);
        }
        false
    }

    /// Moves waiting frames out as far as the peer's window goes.
    fn flush(&mut self, out: &mut Vec<u8>) {
        while self.outgoing_left > 0
            && let Some(frame) = self.pending.pop_front()
        {
            out.extend(frame);
            self.outgoing_left -= 1;
            self.next_outgoing = self.next_outgoing.wrapping_add(1);
        }
    }

    /// Puts the link's next delivery among the waiting frames.
    fn deliver(&mut self, handle: u32, context: &ConnectionContext) -> bool {
        let id = self.next_delivery;
        let Some(Link::Outgoing(link)) = self.links.get_mut(&handle) else {
            return false;
        };
        if link.credit == 0 {
            return false;
        }
        let settled = link.settled;
        let (tag, payload) = match link.origin {
            ReceiverSource::Replies => match link.replies.pop() {
                Some(payload) => (Bytes::copy_from_slice(&id.to_be_bytes()), payload),
                None => return false,
            },
            ReceiverSource::Queue(queue) => {
                let taken = context.shared.broker().take(context.now, queue, settled);
                let Some(delivery) = taken else { return false };
                if !settled {
                    self.unsettled.insert(
                        id,
                        Unsettled {
                            handle,
                            queue,
                            token: delivery.token,
                        },
                    );
                    context.shared.dated();
                }
                (
                    Bytes::copy_from_slice(&delivery.token.to_bytes_le()),
                    delivery.payload,
                )
            }
        };
        link.credit -= 1;
        link.delivery_count = link.delivery_count.wrapping_add(1);
        self.next_delivery = id.wrapping_add(1);
        self.split(handle, id, tag, settled, &payload, context.max_frame);
        true
    }

    /// Cuts a delivery into frames the peer can take.
    fn split(&mut self, handle: u32, id: u32, tag: Bytes, settled: bool, payload: &Bytes, max_frame: usize) {
        let mut head = vec![
            Value::Uint(handle),
            Value::Uint(id),
            Value::Binary(tag),
            Value::Uint(0),
        ];
        let mut rest = payload.clone();
        loop {
            let mut fields = head.clone();
            fields.extend([Value::Bool(settled), Value::Bool(true)]);
            let space = max_frame - frame::overhead(&Performative::new(code::TRANSFER, fields.clone()));
            let chunk = rest.split_to(space.min(rest.len()));
            fields[5] = Value::Bool(!rest.is_empty());
            let mut bytes = Vec::with_capacity(chunk.len() + 64);
            let transfer = Performative::new(code::TRANSFER, fields);
            frame::write(&mut bytes, frame::AMQP, self.channel, &transfer, &chunk);
            self.pending.push_back(bytes);
            if rest.is_empty() {
                return;
            }
            head[1..].fill(Value::Null);
        }
    }

    /// Uses up the credit of a link that asked to be drained and got all there was.
    fn drained(&mut self, handle: u32, out: &mut Vec<u8>) {
        if !self.pending.is_empty() || self.outgoing_left == 0 {
            return;
        }
        let Some(Link::Outgoing(link)) = self.links.get_mut(&handle) else {
            return;
        };
        if !link.drain {
            return;
        }
        link.delivery_count = link.delivery_count.wrapping_add(link.credit);
        link.credit = 0;
        let flow = self.flow_frame(Some(handle));
        self.write(out, flow);
        if let Some(Link::Outgoing(link)) = self.links.get_mut(&handle) {
            link.drain = false;
        }
    }

    pub(super) fn disposition(
        &mut self,
        disposition: &Performative,
        context: &ConnectionContext,
        out: &mut Vec<u8>,
    ) -> Result<(), ProtocolFault> {
        let first = disposition.uint(1)?;
        let last = disposition.field(2).small().unwrap_or(first);
        // The client's role is receiver; as a sender it has nothing left to settle.
        if !disposition.field(0).flag() || last < first {
            return Ok(());
        }
        let settled = disposition.field(3).flag();
        let state = disposition.field(4);
        let found: Vec<_> = self
            .unsettled
            .range(first..=last)
            .map(|(id, delivery)| (*id, *delivery))
            .collect();
        for (id, delivery) in found {
            let answer = match outcome(state) {
                Ok(Some(outcome)) => decide(&delivery, &outcome, state, context)?,
                Ok(None) if settled => {
                    self.unsettled.remove(&id);
                    continue;
                }
                Ok(None) => continue,
                Err(error) if settled => return Err(ProtocolFault::Link(delivery.handle, error)),
                Err(error) => Value::composite(code::REJECTED, vec![error.value()]),
            };
            self.unsettled.remove(&id);
            if !settled {
                self.settle(false, id, answer, out);
            }
        }
        Ok(())
    }
}

/// Ends the lock and gives the state to answer with.
fn decide(
    delivery: &Unsettled,
    outcome: &Outcome,
    state: &Value,
    context: &ConnectionContext,
) -> Result<Value, ProtocolFault> {
    let faults = &context.shared.faults;
    if faults.cut_before_settling.take() {
        return Err(ProtocolFault::Cut);
    }
    let result = context
        .shared
        .broker()
        .settle(context.now, delivery.queue, delivery.token, outcome);
    if *outcome != Outcome::Complete {
        // What goes back to its queue may be past its time by now.
        context.shared.dated();
        context.shared.wake();
    }
    if result.is_ok() && faults.cut_after_settling.take() {
        return Err(ProtocolFault::Cut);
    }
    Ok(match (result, outcome) {
        (Err(_), _) => {
            let text = "The lock supplied is invalid. Either the lock expired, or the message was settled.";
            Value::composite(
                code::REJECTED,
                vec![AmqpError::new(code::LOCK_LOST, text).value()],
            )
        }
        (Ok(()), Outcome::DeadLetter(_)) => Value::composite(code::REJECTED, Vec::new()),
        (Ok(()), _) => state.clone(),
    })
}

/// The outcome that a delivery state asks for; nothing for a state that is none.
fn outcome(state: &Value) -> Result<Option<Outcome>, AmqpError> {
    let pairs = |value: &Value| {
        let pairs = value.map().unwrap_or_default().to_vec();
        simple(&pairs).map(|()| pairs)
    };
    Ok(Some(match state.fields().map(|(kind, _)| kind) {
        None if *state == Value::Null => return Ok(None),
        Some(code::RECEIVED) => return Ok(None),
        Some(code::ACCEPTED) => Outcome::Complete,
        Some(code::RELEASED) => Outcome::Release,
        Some(code::REJECTED) => Outcome::DeadLetter(pairs(state.field(0).field(2))?),
        Some(code::MODIFIED) if state.field(1).flag() => {
            return Err(AmqpError::new(code::NOT_IMPLEMENTED, "deferral is not supported"));
        }
        Some(code::MODIFIED) => Outcome::Abandon(pairs(state.field(2))?),
        _ => {
            return Err(AmqpError::new(
                code::NOT_IMPLEMENTED,
                "the delivery state is not supported",
            ));
        }
    }))
}
