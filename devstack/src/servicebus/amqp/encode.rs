//! Encodes AMQP values in their smallest form.
//! Never fails: a value that decoded can always be written again.

use super::value::Value;

/// Appends the encoding of `value`.
pub(crate) fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0x40),
        Value::Bool(true) => out.push(0x41),
        Value::Bool(false) => out.push(0x42),
        Value::Ubyte(number) => out.extend([0x50, *number]),
        Value::Byte(number) => out.extend([0x51, number.to_be_bytes()[0]]),
        Value::Ushort(number) => fixed(out, 0x60, number.to_be_bytes()),
        Value::Short(number) => fixed(out, 0x61, number.to_be_bytes()),
        Value::Uint(0) => out.push(0x43),
        Value::Uint(number) => match u8::try_from(*number) {
            Ok(small) => out.extend([0x52, small]),
            Err(_) => fixed(out, 0x70, number.to_be_bytes()),
        },
        Value::Ulong(0) => out.push(0x44),
        Value::Ulong(number) => match u8::try_from(*number) {
            Ok(small) => out.extend([0x53, small]),
            Err(_) => fixed(out, 0x80, number.to_be_bytes()),
        },
        Value::Int(number) => match i8::try_from(*number) {
            Ok(small) => fixed(out, 0x54, small.to_be_bytes()),
            Err(_) => fixed(out, 0x71, number.to_be_bytes()),
        },
        Value::Long(number) => match i8::try_from(*number) {
            Ok(small) => fixed(out, 0x55, small.to_be_bytes()),
            Err(_) => fixed(out, 0x81, number.to_be_bytes()),
        },
        Value::Timestamp(time) => fixed(out, 0x83, time.to_be_bytes()),
        Value::Uuid(uuid) => fixed(out, 0x98, *uuid.as_bytes()),
        Value::Binary(bytes) => variable(out, 0xa0, bytes),
        Value::String(text) => variable(out, 0xa1, text.as_bytes()),
        Value::Symbol(text) => variable(out, 0xa3, text.as_bytes()),
        Value::List(items) if items.is_empty() => out.push(0x45),
        Value::List(items) => {
            let mut body = Vec::new();
            items.iter().for_each(|item| encode(item, &mut body));
            compound(out, 0xc0, items.len(), &body);
        }
        Value::Map(pairs) => {
            let mut body = Vec::new();
            for (key, value) in pairs {
                encode(key, &mut body);
                encode(value, &mut body);
            }
            compound(out, 0xc1, pairs.len() * 2, &body);
        }
        Value::Array(items, raw) => compound(out, 0xe0, items.len(), raw),
        Value::Opaque(raw) => out.extend(raw),
        Value::Described(pair) => {
            out.push(0x00);
            encode(&pair.0, out);
            encode(&pair.1, out);
        }
    }
}

/// Appends a section or composite: the descriptor, then the value.
pub(crate) fn encode_described(code: u64, value: &Value, out: &mut Vec<u8>) {
    out.push(0x00);
    encode(&Value::Ulong(code), out);
    encode(value, out);
}

fn fixed<const N: usize>(out: &mut Vec<u8>, code: u8, bytes: [u8; N]) {
    out.push(code);
    out.extend(bytes);
}

/// Small codes become their large form by adding 0x10.
fn variable(out: &mut Vec<u8>, code: u8, bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(length) => out.extend([code, length]),
        Err(_) => fixed(out, code + 0x10, (bytes.len() as u32).to_be_bytes()),
    }
    out.extend(bytes);
}

fn compound(out: &mut Vec<u8>, code: u8, count: usize, body: &[u8]) {
    match (u8::try_from(body.len() + 1), u8::try_from(count)) {
        (Ok(size), Ok(count)) => out.extend([code, size, count]),
        _ => {
            fixed(out, code + 0x10, (body.len() as u32 + 4).to_be_bytes());
            out.extend((count as u32).to_be_bytes());
        }
    }
    out.extend(body);
}
