//! Attaching links: who may, to what, and with which terms.
//! Never leaves an attach unanswered: a refusal is an attach without terminus and a detach with the error.

use super::super::amqp::{AmqpError, Performative, Value, code};
use super::super::broker::Entity;
use super::super::token;
use super::context::{ConnectionContext, ProtocolFault};
use super::grants::claims;
use super::incoming::{CREDIT, MAX_MESSAGE};
use super::replies::Replies;
use super::session::{CBS, Incoming, Link, Outgoing, ReceiverSource, SenderTarget, Session};

/// Sent settled: receive-and-delete.
const SETTLED: u32 = 1;

/// The node that an address names, behind its authorization.
enum Node {
    Cbs,
    Management(Entity),
    Entity(Entity),
}

impl Session {
    pub(super) fn attach(
        &mut self,
        attach: &Performative,
        context: &ConnectionContext,
        out: &mut Vec<u8>,
    ) -> Result<(), ProtocolFault> {
        let handle = attach.uint(1)?;
        if !Self::handle_in_range(handle) || self.links.contains_key(&handle) {
            return Err(ProtocolFault::session(
                code::HANDLE_IN_USE,
                "the handle is in use or too high",
            ));
        }
        let receives = attach.field(2).flag();
        let link = if receives {
            outgoing(attach, context)
        } else {
            incoming(attach, context)
        };
        self.write(out, reply(attach, handle, receives, link.is_ok()));
        match link {
            Ok(link) => {
                self.links.insert(handle, link);
                if !receives {
                    self.write(out, self.flow_frame(Some(handle)));
                }
                Ok(())
            }
            Err(error) => Err(ProtocolFault::Link(handle, error)),
        }
    }
}

fn reply(attach: &Performative, handle: u32, receives: bool, accepted: bool) -> Performative {
    let mut fields = vec![
        attach.field(0).clone(),
        Value::Uint(handle),
        Value::Bool(!receives),
        attach.field(3).clone(),
        // A publisher that asked for `second` would wait for a settlement that never comes.
        if receives {
            attach.field(4).clone()
        } else {
            Value::Ubyte(0)
        },
        attach.field(5).clone(),
        attach.field(6).clone(),
        Value::Null,
        Value::Null,
        if receives { Value::Uint(0) } else { Value::Null },
        // What was stored is handed out whatever it has grown to by then: only the client's own limit holds there.
        if receives {
            attach.field(10).clone()
        } else {
            Value::Ulong(MAX_MESSAGE as u64)
        },
    ];
    if !accepted {
        fields[if receives { 5 } else { 6 }] = Value::Null;
    }
    Performative::new(code::ATTACH, fields)
}

fn outgoing(attach: &Performative, context: &ConnectionContext) -> Result<Link, AmqpError> {
    let source = attach.field(5);
    let node = node(source, true, context)?;
    if source.field(7).map().is_some_and(|filters| !filters.is_empty()) {
        let names: Vec<_> = source
            .field(7)
            .map()
            .unwrap_or_default()
            .iter()
            .filter_map(|(name, _)| name.text())
            .collect();
        let text = format!("filters are not supported: {}", names.join(", "));
        return Err(AmqpError::new(code::NOT_IMPLEMENTED, text));
    }
    let origin = match node {
        Node::Cbs | Node::Management(_) => ReceiverSource::Replies,
        Node::Entity(Entity::Queue { id, .. }) => ReceiverSource::Queue(id),
        Node::Entity(Entity::Topic(_)) => {
            return Err(AmqpError::new(
                code::NOT_ALLOWED,
                "a topic is received from through a subscription",
            ));
        }
    };
    // Zero is no limit, as nothing is.
    let limit = attach.field(10).number().filter(|limit| *limit > 0);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let target = attach.field(6).field(0).text().unwrap_or_default().to_owned();
    Ok(Link::Outgoing(Outgoing {
        names: [target, attach.field(0).text().unwrap_or_default().to_owned()],
        node: address(source),
        origin,
        settled: origin == ReceiverSource::Replies || attach.field(3).small() == Some(SETTLED),
        delivery_count: 0,
        credit: 0,
        drain: false,
        max_message: limit.map_or(MAX_MESSAGE, |limit| limit.min(MAX_MESSAGE)),
        replies: Replies::default(),
    }))
}

fn incoming(attach: &Performative, context: &ConnectionContext) -> Result<Link, AmqpError> {
    let target = attach.field(6);
    if target.fields().is_some_and(|(kind, _)| kind == code::COORDINATOR) {
        return Err(AmqpError::new(
            code::NOT_IMPLEMENTED,
            "transactions are not supported",
        ));
    }
    let sink = match node(target, false, context)? {
        Node::Cbs => SenderTarget::Cbs,
        Node::Management(place) => SenderTarget::Management(place),
        Node::Entity(Entity::Queue { inlet: None, .. }) => {
            let text = "a subscription or dead-letter queue cannot be sent to";
            return Err(AmqpError::new(code::NOT_ALLOWED, text));
        }
        Node::Entity(
            Entity::Topic(inlet)
            | Entity::Queue {
                inlet: Some(inlet), ..
            },
        ) => SenderTarget::Publish(inlet),
    };
    Ok(Link::Incoming(Incoming {
        node: address(target),
        sink,
        delivery_count: 0,
        credit: CREDIT,
        partial: None,
    }))
}

/// A terminus' address as a path.
fn address(terminus: &Value) -> String {
    token::path(terminus.field(0).text().unwrap_or_default())
}

fn node(terminus: &Value, receives: bool, context: &ConnectionContext) -> Result<Node, AmqpError> {
    if terminus.field(4).flag() {
        return Err(AmqpError::new(
            code::NOT_IMPLEMENTED,
            "dynamic nodes are not supported",
        ));
    }
    let path = address(terminus);
    if path == CBS {
        return Ok(Node::Cbs);
    }
    if path.is_empty() {
        return Err(AmqpError::new(code::INVALID_FIELD, "the link names no entity"));
    }
    let checked = context.grants.check(&path, claims(&path, receives), context.now);
    checked.map_err(|text| AmqpError::new(code::UNAUTHORIZED, text))?;
    let (entity, managed) = match path.strip_suffix("/$management") {
        Some(entity) => (entity, true),
        None => (path.as_str(), false),
    };
    match context.shared.broker().resolve(entity) {
        Some(place) if managed => Ok(Node::Management(place)),
        Some(place) => Ok(Node::Entity(place)),
        None => {
            let text = format!("The messaging entity '{entity}' could not be found.");
            Err(AmqpError::new(code::NOT_FOUND, text))
        }
    }
}
