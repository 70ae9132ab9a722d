//! The errors of the bus, made from those of the AMQP client, and what each says of the message or the link.
//! Never decides whether to try again: that is for the caller.

use fe2o3_amqp::{
    link::{LinkStateError, ReceiverAttachError, RecvError, SendError as AmqpSendError, SenderAttachError},
    types::definitions::{AmqpError, Error, ErrorCondition, LinkError},
};
use fe2o3_amqp_management::error::{AttachError, Error as ManagementError};

use crate::error_chain::{Cause, cause};

/// The reason why the bus did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BusError {
    /// The bus is away, slow or busy, or does not let us in: it says which.
    #[error(transparent)]
    Unavailable(Cause),
    /// There is no such topic, queue or subscription.
    #[error(transparent)]
    NotFound(Cause),
    /// An answer was larger than the bus lets its link take; the link is gone.
    #[error("the bus's answer is larger than its link takes")]
    TooLarge,
    /// The lock on a message has run out, or it was settled already.
    #[error("the lock on a message has run out")]
    LockLost,
}

/// The reason why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The bus is away or slow: all of it can be sent again later.
    #[error(transparent)]
    Unavailable(Cause),
    /// The bus has answered that it does not take it now: all of it can be sent again later, and not before.
    #[error(transparent)]
    Busy(Cause),
    /// The bus will not take this content, ever.
    #[error(transparent)]
    Refused(Cause),
}

/// Whatever keeps a link from being opened may pass.
impl From<BusError> for SendError {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Unavailable(source) => Self::Unavailable(source),
            other => Self::Unavailable(cause(other)),
        }
    }
}

/// Anything that went wrong.
pub(super) fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BusError {
    BusError::Unavailable(cause(error))
}

/// The end of a connection.
pub(super) fn of_end(ended: Result<(), impl std::error::Error + Send + Sync + 'static>) -> BusError {
    match ended {
        Ok(()) => unavailable("the bus has closed the connection"),
        Err(error) => unavailable(error),
    }
}

/// The bus's words when it closed a link.
pub(super) fn of_close(error: &Error) -> BusError {
    let said = cause(words(error));
    match error.condition {
        ErrorCondition::AmqpError(AmqpError::NotFound) => BusError::NotFound(said),
        _ => BusError::Unavailable(said),
    }
}

fn words(error: &Error) -> String {
    let said = error.description.as_deref().unwrap_or_default();
    format!("{:?} {said}", error.condition).trim_end().to_owned()
}

/// A sender that was not let in.
pub(super) fn of_sender(error: SenderAttachError) -> BusError {
    match error {
        SenderAttachError::RemoteClosedWithError(error) => of_close(&error),
        other => unavailable(other),
    }
}

/// A receiver that was not let in.
pub(super) fn of_receiver(error: ReceiverAttachError) -> BusError {
    match error {
        ReceiverAttachError::RemoteClosedWithError(error) => of_close(&error),
        other => unavailable(other),
    }
}

/// A pair of links for requests that was not let in.
pub(super) fn of_attach(error: AttachError) -> BusError {
    match error {
        AttachError::Sender(error) => of_sender(error),
        AttachError::Receiver(error) => of_receiver(error),
    }
}

/// A receiver that got no message.
pub(super) fn of_receipt(error: RecvError) -> BusError {
    match error {
        RecvError::LinkStateError(
            LinkStateError::RemoteDetachedWithError(error) | LinkStateError::RemoteClosedWithError(error),
        ) => of_close(&error),
        other => unavailable(other),
    }
}

/// A request that was not answered, or not with what it asked for.
pub(super) fn of_call(error: ManagementError) -> BusError {
    let status = match error {
        ManagementError::Status(status) => status,
        ManagementError::Recv(RecvError::MessageSizeExceeded(_)) => return BusError::TooLarge,
        other => return unavailable(other),
    };
    let code = status.code.0.get();
    let said = status.description.unwrap_or_default();
    match code {
        404 => BusError::NotFound(cause(said)),
        410 => BusError::LockLost,
        _ => unavailable(format!("the bus answered {code} {said}")),
    }
}

/// A transfer that failed. The bus may also say what it thinks of a message by closing the link.
pub(super) fn of_transfer(error: AmqpSendError) -> SendError {
    match error {
        AmqpSendError::MessageSizeExceeded(_) | AmqpSendError::MessageEncodeError => {
            SendError::Refused(cause(error))
        }
        AmqpSendError::LinkStateError(
            LinkStateError::RemoteDetachedWithError(error) | LinkStateError::RemoteClosedWithError(error),
        ) => of_condition(&error),
        other => SendError::Unavailable(cause(other)),
    }
}

/// A transfer that the bus rejected: the link that it came over is as good as before.
pub(super) fn of_rejection(error: Option<&Error>) -> SendError {
    let Some(error) = error else {
        return SendError::Busy(cause("the bus rejected a batch without saying why"));
    };
    match of_condition(error) {
        SendError::Unavailable(why) => SendError::Busy(why),
        other => other,
    }
}

/// Only these conditions speak of the message; any other, an unknown one too, is the bus having a bad time.
fn of_condition(error: &Error) -> SendError {
    match &error.condition {
        ErrorCondition::LinkError(LinkError::MessageSizeExceeded)
        | ErrorCondition::AmqpError(AmqpError::DecodeError | AmqpError::InvalidField) => {
            SendError::Refused(cause(words(error)))
        }
        ErrorCondition::Custom(name) if name.as_str() == "com.microsoft:argument-error" => {
            SendError::Refused(cause(words(error)))
        }
        _ => SendError::Unavailable(cause(words(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_bus_is_not_a_bad_message() {
        let busy = ErrorCondition::Custom("com.microsoft:server-busy".into());
        let busy = Error::new(busy, None, None);
        assert!(matches!(of_rejection(Some(&busy)), SendError::Busy(_)));
        assert!(matches!(of_condition(&busy), SendError::Unavailable(_)));
        let large = LinkError::MessageSizeExceeded;
        assert!(matches!(
            of_condition(&Error::new(large, None, None)),
            SendError::Refused(_)
        ));
    }
}
