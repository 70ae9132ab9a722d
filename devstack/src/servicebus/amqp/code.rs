//! The numeric descriptors of AMQP 1.0 and the error conditions this emulator answers with.
//! Never decides when a code applies.

pub(crate) const OPEN: u64 = 0x10;
pub(crate) const BEGIN: u64 = 0x11;
pub(crate) const ATTACH: u64 = 0x12;
pub(crate) const FLOW: u64 = 0x13;
pub(crate) const TRANSFER: u64 = 0x14;
pub(crate) const DISPOSITION: u64 = 0x15;
pub(crate) const DETACH: u64 = 0x16;
pub(crate) const END: u64 = 0x17;
pub(crate) const CLOSE: u64 = 0x18;

pub(crate) const ERROR: u64 = 0x1d;
pub(crate) const RECEIVED: u64 = 0x23;
pub(crate) const ACCEPTED: u64 = 0x24;
pub(crate) const REJECTED: u64 = 0x25;
pub(crate) const RELEASED: u64 = 0x26;
pub(crate) const MODIFIED: u64 = 0x27;
pub(crate) const COORDINATOR: u64 = 0x30;

pub(crate) const SASL_MECHANISMS: u64 = 0x40;
pub(crate) const SASL_INIT: u64 = 0x41;
pub(crate) const SASL_OUTCOME: u64 = 0x44;

pub(crate) const HEADER: u64 = 0x70;
pub(crate) const DELIVERY_ANNOTATIONS: u64 = 0x71;
pub(crate) const MESSAGE_ANNOTATIONS: u64 = 0x72;
pub(crate) const PROPERTIES: u64 = 0x73;
pub(crate) const APPLICATION_PROPERTIES: u64 = 0x74;
pub(crate) const DATA: u64 = 0x75;
pub(crate) const SEQUENCE: u64 = 0x76;
pub(crate) const VALUE: u64 = 0x77;
pub(crate) const FOOTER: u64 = 0x78;

// Microsoft's own composites in the answer to `enumerate-rules`; a filter's code has one zero less than the others.
pub(crate) const RULE_DESCRIPTION: u64 = 0x137_0000_0004;
pub(crate) const EMPTY_RULE_ACTION: u64 = 0x137_0000_0005;
pub(crate) const TRUE_FILTER: u64 = 0x13_7000_0007;
pub(crate) const CORRELATION_FILTER: u64 = 0x13_7000_0009;

/// The message format of a Service Bus batch: every data section is one encoded message.
pub(crate) const BATCH_FORMAT: u32 = 0x8001_3700;

pub(crate) const UNAUTHORIZED: &str = "amqp:unauthorized-access";
pub(crate) const NOT_FOUND: &str = "amqp:not-found";
pub(crate) const NOT_ALLOWED: &str = "amqp:not-allowed";
pub(crate) const NOT_IMPLEMENTED: &str = "amqp:not-implemented";
pub(crate) const INVALID_FIELD: &str = "amqp:invalid-field";
pub(crate) const DECODE_ERROR: &str = "amqp:decode-error";
pub(crate) const RESOURCE_LIMIT: &str = "amqp:resource-limit-exceeded";
pub(crate) const FRAMING_ERROR: &str = "amqp:connection:framing-error";
pub(crate) const WINDOW_VIOLATION: &str = "amqp:session:window-violation";
pub(crate) const UNATTACHED_HANDLE: &str = "amqp:session:unattached-handle";
pub(crate) const HANDLE_IN_USE: &str = "amqp:session:handle-in-use";
pub(crate) const TRANSFER_LIMIT: &str = "amqp:link:transfer-limit-exceeded";
pub(crate) const SIZE_EXCEEDED: &str = "amqp:link:message-size-exceeded";
pub(crate) const LOCK_LOST: &str = "com.microsoft:message-lock-lost";
pub(crate) const SERVER_BUSY: &str = "com.microsoft:server-busy";
