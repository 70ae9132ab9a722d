//! Transfers from the client: published messages and requests.
//! Never stores half a delivery, and never takes one that is larger than announced.

use bytes::Bytes;

use super::super::amqp::{AmqpError, Performative, Value, code};
use super::super::broker::InletId;
use super::context::{ConnectionContext, ProtocolFault};
use super::request::Request;
use super::session::{Incoming, Link, Outgoing, PartialDelivery, SenderTarget, Session, WINDOW};
use super::{management, request};

/// The standard tier's limit on a message or batch.
pub(super) const MAX_MESSAGE: usize = 256 * 1024;
/// Deliveries a sender may have ahead.
pub(super) const CREDIT: u32 = 1_000;

/// A reason for which a delivery is not taken.
enum DeliveryRefusal {
    Rejected(AmqpError),
    Cut,
}

impl From<AmqpError> for DeliveryRefusal {
    fn from(error: AmqpError) -> Self {
        Self::Rejected(error)
    }
}

impl Session {
    pub(super) fn transfer(
        &mut self,
        transfer: &Performative,
        payload: &Bytes,
        context: &mut ConnectionContext,
        out: &mut Vec<u8>,
    ) -> Result<(), ProtocolFault> {
        let handle = transfer.uint(0)?;
        if self.incoming_left == 0 {
            return Err(ProtocolFault::session(
                code::WINDOW_VIOLATION,
                "more transfers than the window allows",
            ));
        }
        self.incoming_left -= 1;
        self.next_incoming = self.next_incoming.wrapping_add(1);
        let (sink, node, whole) = match self.links.get_mut(&handle) {
            Some(Link::Incoming(link)) => match collect(link, handle, transfer, payload)? {
                Some(whole) => (link.sink.clone(), link.node.clone(), whole),
                None => return self.widen(None, out),
            },
            Some(Link::Closing) => return self.widen(None, out),
            Some(Link::Outgoing(_)) => {
                return Err(ProtocolFault::session(
                    code::NOT_ALLOWED,
                    "transfer on a receiving link",
                ));
            }
            None => {
                return Err(ProtocolFault::session(
                    code::UNATTACHED_HANDLE,
                    "transfer on an unknown handle",
                ));
            }
        };
        let state = match self.accept(&sink, &node, &whole, context) {
            Ok(()) => Value::composite(code::ACCEPTED, Vec::new()),
            Err(DeliveryRefusal::Cut) => return Err(ProtocolFault::Cut),
            // Nothing can be answered to a settled delivery, so a refusal ends the link.
            Err(DeliveryRefusal::Rejected(error)) if whole.settled => {
                return Err(ProtocolFault::Link(handle, error));
            }
            Err(DeliveryRefusal::Rejected(error)) => {
                error.log("a message is rejected");
                Value::composite(code::REJECTED, vec![error.value()])
            }
        };
        if !whole.settled {
            self.settle(true, whole.id, state, out);
        }
        self.widen(Some(handle), out)
    }

    /// A settled disposition for one delivery.
    pub(super) fn settle(&self, as_receiver: bool, id: u32, state: Value, out: &mut Vec<u8>) {
        let fields = vec![
            Value::Bool(as_receiver),
            Value::Uint(id),
            Value::Uint(id),
            Value::Bool(true),
            state,
        ];
        self.write(out, Performative::new(code::DISPOSITION, fields));
    }

    fn accept(
        &mut self,
        sink: &SenderTarget,
        node: &str,
        whole: &PartialDelivery,
        context: &mut ConnectionContext,
    ) -> Result<(), DeliveryRefusal> {
        if whole.size > MAX_MESSAGE {
            let size = whole.size;
            let text = format!("The message of {size} bytes exceeds the limit of {MAX_MESSAGE} bytes.");
            return Err(AmqpError::new(code::SIZE_EXCEEDED, text).into());
        }
        let payload = Bytes::copy_from_slice(&whole.bytes);
        if let SenderTarget::Publish(inlet) = sink {
            return publish(*inlet, whole.format, &payload, context);
        }
        let request = Request::read(&payload)?;
        // Before anything is done: what cannot be answered must not be done either.
        let link = self.reply_link(node, &request)?;
        if link.replies.is_full() {
            let text = "Too many answers wait for credit on the link that they are to be sent on.";
            return Err(AmqpError::new(code::RESOURCE_LIMIT, text).into());
        }
        let reply = match sink {
            SenderTarget::Management(place) => {
                management::answer(&request, place, link.max_message, context).ok_or(DeliveryRefusal::Cut)?
            }
            _ => request::put_token(&request, context),
        };
        link.replies.push(reply);
        Ok(())
    }

    /// The link that `reply-to` names, or any receiver of the node.
    fn reply_link(&mut self, node: &str, request: &Request) -> Result<&mut Outgoing, AmqpError> {
        let receivers = || {
            self.links.iter().filter_map(|(handle, link)| match link {
                Link::Outgoing(link) if link.node == node => Some((*handle, &link.names)),
                _ => None,
            })
        };
        let named = request
            .reply_to
            .as_ref()
            .and_then(|to| receivers().find(|(_, names)| names.contains(to)));
        let handle = named.or_else(|| receivers().next()).map(|(handle, _)| handle);
        match handle.and_then(|handle| self.links.get_mut(&handle)) {
            Some(Link::Outgoing(link)) => Ok(link),
            _ => Err(AmqpError::new(code::NOT_FOUND, "there is no link for the reply")),
        }
    }

    /// Gives back window and credit before they run out.
    fn widen(&mut self, handle: Option<u32>, out: &mut Vec<u8>) -> Result<(), ProtocolFault> {
        let low = self.incoming_left < WINDOW / 2;
        if low {
            self.incoming_left = WINDOW;
        }
        let refilled = match handle.and_then(|handle| self.links.get_mut(&handle)) {
            Some(Link::Incoming(link)) if link.credit < CREDIT / 2 => {
                link.credit = CREDIT;
                handle
            }
            _ => None,
        };
        if low || refilled.is_some() {
            self.write(out, self.flow_frame(refilled));
        }
        Ok(())
    }
}

/// Stores what was sent, unless a switch has it otherwise.
fn publish(
    inlet: InletId,
    format: u32,
    payload: &Bytes,
    context: &ConnectionContext,
) -> Result<(), DeliveryRefusal> {
    let faults = &context.shared.faults;
    if faults.cut_before_storing.take() {
        return Err(DeliveryRefusal::Cut);
    }
    if faults.busy.take() {
        let text = "The entity is being throttled. Error code: 50009. Please try again in 2 seconds.";
        return Err(AmqpError::new(code::SERVER_BUSY, text).into());
    }
    context
        .shared
        .broker()
        .send(context.now, inlet, format, payload)?;
    context.shared.dated();
    context.shared.wake();
    if faults.cut_after_storing.take() {
        return Err(DeliveryRefusal::Cut);
    }
    Ok(())
}

/// Adds a transfer to its delivery; gives the delivery when it is whole.
fn collect(
    link: &mut Incoming,
    handle: u32,
    transfer: &Performative,
    payload: &Bytes,
) -> Result<Option<PartialDelivery>, ProtocolFault> {
    let refuse = |condition, text: &str| ProtocolFault::Link(handle, AmqpError::new(condition, text));
    let mut partial = match link.partial.take() {
        Some(partial) => partial,
        None => {
            if link.credit == 0 {
                return Err(refuse(code::TRANSFER_LIMIT, "the link has no credit"));
            }
            link.credit -= 1;
            link.delivery_count = link.delivery_count.wrapping_add(1);
            let format = transfer.field(3).small().unwrap_or(0);
            PartialDelivery {
                id: transfer.uint(1)?,
                format,
                settled: false,
                size: 0,
                bytes: Vec::new(),
            }
        }
    };
    if transfer.field(9).flag() {
        return Ok(None);
    }
    if transfer.field(7).fields().is_some() {
        return Err(refuse(
            code::NOT_IMPLEMENTED,
            "transactions and resumption are not supported",
        ));
    }
    partial.settled |= transfer.field(4).flag();
    // What is too large is read to its end, so that it can be answered, and kept no further than that.
    partial.size = partial.size.saturating_add(payload.len());
    if partial.size > MAX_MESSAGE {
        partial.bytes = Vec::new();
    } else {
        partial.bytes.extend(payload);
    }
    if transfer.field(5).flag() {
        link.partial = Some(partial);
        return Ok(None);
    }
    Ok(Some(partial))
}
