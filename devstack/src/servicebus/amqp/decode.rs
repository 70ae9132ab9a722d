//! Decodes AMQP values from a peer's bytes.
//! Never reads past the slice, recurses deeper than `DEPTH` or reserves more than the bytes could fill.

use bytes::Bytes;
use uuid::Uuid;

use super::value::Value;

/// Nesting deeper than any Service Bus frame needs.
const DEPTH: usize = 32;

/// Bytes that are not an AMQP value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a well-formed AMQP value")]
pub(crate) struct Malformed;

/// Decodes the first value of `bytes` and tells how many bytes it took.
pub(crate) fn decode(bytes: &Bytes) -> Result<(Value, usize), Malformed> {
    let mut reader = ByteReader {
        bytes,
        position: 0,
        end: bytes.len(),
    };
    let value = reader.value(0)?;
    Ok((value, reader.position))
}

struct ByteReader<'a> {
    bytes: &'a Bytes,
    position: usize,
    end: usize,
}

impl ByteReader<'_> {
    fn take(&mut self, length: usize) -> Result<Bytes, Malformed> {
        let until = self
            .position
            .checked_add(length)
            .filter(|until| *until <= self.end)
            .ok_or(Malformed)?;
        let slice = self.bytes.slice(self.position..until);
        self.position = until;
        Ok(slice)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.as_ref().try_into().map_err(|_| Malformed)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.fixed::<1>()?[0])
    }

    /// A length or a count: one byte in the small encodings, four in the large.
    fn size(&mut self, large: bool) -> Result<usize, Malformed> {
        Ok(if large {
            u32::from_be_bytes(self.fixed()?) as usize
        } else {
            self.byte()?.into()
        })
    }

    fn text(&mut self, large: bool) -> Result<String, Malformed> {
        let length = self.size(large)?;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| Malformed)
    }

    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        if depth > DEPTH {
            return Err(Malformed);
        }
        match self.byte()? {
            0x00 => {
                let descriptor = self.value(depth + 1)?;
                let described = self.value(depth + 1)?;
                Ok(Value::Described(Box::new((descriptor, described))))
            }
            code => self.body(code, depth),
        }
    }

    fn body(&mut self, code: u8, depth: usize) -> Result<Value, Malformed> {
        Ok(match code {
            0x40 => Value::Null,
            0x41 => Value::Bool(true),
            0x42 => Value::Bool(false),
            0x43 => Value::Uint(0),
            0x44 => Value::Ulong(0),
            0x45 => Value::List(Vec::new()),
            0x50 => Value::Ubyte(self.byte()?),
            0x51 => Value::Byte(i8::from_be_bytes(self.fixed()?)),
            0x52 => Value::Uint(self.byte()?.into()),
            0x53 => Value::Ulong(self.byte()?.into()),
            0x54 => Value::Int(i8::from_be_bytes(self.fixed()?).into()),
            0x55 => Value::Long(i8::from_be_bytes(self.fixed()?).into()),
            0x56 => Value::Bool(self.byte()? != 0),
            0x60 => Value::Ushort(u16::from_be_bytes(self.fixed()?)),
            0x61 => Value::Short(i16::from_be_bytes(self.fixed()?)),
            0x70 => Value::Uint(u32::from_be_bytes(self.fixed()?)),
            0x71 => Value::Int(i32::from_be_bytes(self.fixed()?)),
            0x72..=0x74 => self.opaque(code, 4)?,
            0x80 => Value::Ulong(u64::from_be_bytes(self.fixed()?)),
            0x81 => Value::Long(i64::from_be_bytes(self.fixed()?)),
            0x82 | 0x84 => self.opaque(code, 8)?,
            0x83 => Value::Timestamp(i64::from_be_bytes(self.fixed()?)),
            0x94 => self.opaque(code, 16)?,
            0x98 => Value::Uuid(Uuid::from_bytes(self.fixed()?)),
            0xa0 | 0xb0 => {
                let length = self.size(code == 0xb0)?;
                Value::Binary(self.take(length)?)
            }
            0xa1 | 0xb1 => Value::String(self.text(code == 0xb1)?),
            0xa3 | 0xb3 => Value::Symbol(self.text(code == 0xb3)?),
            0xc0 | 0xd0 => Value::List(self.compound(code == 0xd0, depth)?),
            0xc1 | 0xd1 => pairs(self.compound(code == 0xd1, depth)?)?,
            0xe0 | 0xf0 => self.array(code == 0xf0, depth)?,
            _ => return Err(Malformed),
        })
    }

    fn opaque(&mut self, code: u8, width: usize) -> Result<Value, Malformed> {
        let mut raw = vec![code];
        raw.extend(self.take(width)?);
        Ok(Value::Opaque(raw.into()))
    }

    /// Narrows the reader to a compound's bytes, reads it, and demands that it used them all.
    fn within<T>(
        &mut self,
        large: bool,
        read: impl FnOnce(&mut Self, usize) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let size = self.size(large)?;
        let until = self
            .position
            .checked_add(size)
            .filter(|until| *until <= self.end)
            .ok_or(Malformed)?;
        let mut inner = ByteReader {
            bytes: self.bytes,
            position: self.position,
            end: until,
        };
        let count = inner.size(large)?;
        let result = read(&mut inner, count)?;
        if inner.position != until {
            return Err(Malformed);
        }
        self.position = until;
        Ok(result)
    }

    fn compound(&mut self, large: bool, depth: usize) -> Result<Vec<Value>, Malformed> {
        self.within(large, |inner, count| {
            if count > inner.end - inner.position {
                return Err(Malformed);
            }
            (0..count).map(|_| inner.value(depth + 1)).collect()
        })
    }

    fn array(&mut self, large: bool, depth: usize) -> Result<Value, Malformed> {
        self.within(large, |inner, count| {
            let start = inner.position;
            let code = inner.byte()?;
            // Elements may take no bytes at all, so the count alone must not decide what is reserved.
            if count > (inner.end - inner.position).max(8) || depth >= DEPTH {
                return Err(Malformed);
            }
            // Elements that are described share one descriptor; it stays in the raw bytes.
            let code = if code == 0x00 {
                inner.value(depth + 1)?;
                inner.byte()?
            } else {
                code
            };
            let items = (0..count)
                .map(|_| inner.body(code, depth + 1))
                .collect::<Result<_, _>>()?;
            Ok(Value::Array(items, inner.bytes.slice(start..inner.position)))
        })
    }
}

fn pairs(items: Vec<Value>) -> Result<Value, Malformed> {
    if !items.len().is_multiple_of(2) {
        return Err(Malformed);
    }
    let mut pairs = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        pairs.push((key, value));
    }
    Ok(Value::Map(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_bytes_and_no_deep_nesting_panic() {
        for first in 0..=255 {
            for second in 0..=255 {
                let _ = decode(&Bytes::from(vec![
                    first, second, 0xff, 0x00, 0x53, first, 0xff, second,
                ]));
            }
        }
        assert_eq!(decode(&Bytes::from(vec![0x00; 100_000])), Err(Malformed));
    }
}
