//! A client that writes its frames by hand, and so may do what no library does.
//! Never judges: it gives back the frames that came.

use devstack::servicebus::ServiceBusEmulator;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::within;

pub(crate) const ATTACH: u8 = 0x12;
pub(crate) const FLOW: u8 = 0x13;
pub(crate) const TRANSFER: u8 = 0x14;
pub(crate) const DISPOSITION: u8 = 0x15;
pub(crate) const NULL: &[u8] = &[0x40];
const TRUE: &[u8] = &[0x41];
const FALSE: &[u8] = &[0x42];

/// A connection with one session, which proved by PLAIN to know the key.
pub(crate) struct Raw(TcpStream);

fn sized(code: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&[code][..], &length.to_be_bytes(), bytes].concat()
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    sized(0xb1, text.as_bytes())
}

fn symbol(text: &str) -> Vec<u8> {
    sized(0xb3, text.as_bytes())
}

pub(crate) fn binary(bytes: &[u8]) -> Vec<u8> {
    sized(0xb0, bytes)
}

pub(crate) fn uint(number: u32) -> Vec<u8> {
    [&[0x70][..], &number.to_be_bytes()].concat()
}

pub(crate) fn timestamp(at: i64) -> Vec<u8> {
    [&[0x83][..], &at.to_be_bytes()].concat()
}

fn compound(code: u8, items: &[&[u8]]) -> Vec<u8> {
    let count = u32::try_from(items.len()).unwrap();
    sized(code, &[&count.to_be_bytes()[..], &items.concat()].concat())
}

pub(crate) fn list(items: &[&[u8]]) -> Vec<u8> {
    compound(0xd0, items)
}

pub(crate) fn map(items: &[&[u8]]) -> Vec<u8> {
    compound(0xd1, items)
}

/// A section, performative or terminus.
pub(crate) fn described(code: u8, value: &[u8]) -> Vec<u8> {
    [&[0x00, 0x53, code], value].concat()
}

pub(crate) fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The condition of an error, as it begins on the wire, and whether a third field follows its description: a map.
pub(crate) fn has_info(frame: &[u8], condition: &str) -> bool {
    // The map is the last of the error and the error the last of the frame: empty, in its small form.
    contains(frame, condition) && frame.ends_with(&[0xc1, 0x01, 0x00])
}

impl Raw {
    pub(crate) async fn open(emulator: &ServiceBusEmulator) -> Self {
        let mut raw = Self(TcpStream::connect(emulator.address()).await.unwrap());
        let key = binary(b"\0RootManageSharedAccessKey\0SAS_KEY_VALUE");
        raw.0.write_all(b"AMQP\x03\x01\x00\x00").await.unwrap();
        raw.write(1, &described(0x41, &list(&[&symbol("PLAIN"), &key])), &[])
            .await;
        raw.0.write_all(b"AMQP\x00\x01\x00\x00").await.unwrap();
        raw.write(0, &described(0x10, &list(&[&text("raw")])), &[]).await;
        let begin = list(&[NULL, &uint(1), &uint(100_000), &uint(100_000)]);
        raw.write(0, &described(0x11, &begin), &[]).await;
        let mut header = [0; 8];
        within(raw.0.read_exact(&mut header)).await.unwrap();
        raw.next().await;
        raw.next().await;
        within(raw.0.read_exact(&mut header)).await.unwrap();
        raw.until(0x11).await;
        raw
    }

    async fn write(&mut self, kind: u8, performative: &[u8], payload: &[u8]) {
        let size = u32::try_from(8 + performative.len() + payload.len()).unwrap();
        let head = [&size.to_be_bytes()[..], &[2, kind, 0, 0]].concat();
        let frame = [&head, performative, payload].concat();
        within(self.0.write_all(&frame)).await.unwrap();
    }

    /// The next frame: what it is, and its body.
    pub(crate) async fn next(&mut self) -> (u8, Vec<u8>) {
        let size = within(self.0.read_u32()).await.unwrap();
        let mut frame = vec![0; size as usize - 4];
        within(self.0.read_exact(&mut frame)).await.unwrap();
        let body = frame.split_off(4);
        (body.get(2).copied().unwrap_or(0), body)
    }

    /// The next frame of a kind.
    pub(crate) async fn until(&mut self, code: u8) -> Vec<u8> {
        loop {
            let (kind, body) = self.next().await;
            if kind == code {
                return body;
            }
        }
    }

    /// Attaches a link to send on, and gives the answer.
    pub(crate) async fn send_to(&mut self, handle: u32, address: &str) -> Vec<u8> {
        let target = described(0x29, &list(&[&text(address)]));
        let name = text(&format!("sender-{handle}"));
        let fields = list(&[&name, &uint(handle), FALSE, NULL, NULL, NULL, &target]);
        self.write(0, &described(ATTACH, &fields), &[]).await;
        self.until(ATTACH).await
    }

    /// Attaches a link to receive on under a name, without credit, and gives the answer.
    pub(crate) async fn receive_from(&mut self, handle: u32, name: &str, address: &str) -> Vec<u8> {
        let source = described(0x28, &list(&[&text(address)]));
        let target = described(0x29, &list(&[&text(name)]));
        let fields = list(&[&text(name), &uint(handle), TRUE, NULL, NULL, &source, &target]);
        self.write(0, &described(ATTACH, &fields), &[]).await;
        self.until(ATTACH).await
    }

    /// Gives a link credit.
    pub(crate) async fn credit(&mut self, handle: u32, credit: u32) {
        let window = uint(100_000);
        let fields = list(&[
            &uint(1),
            &window,
            &uint(1),
            &window,
            &uint(handle),
            &uint(0),
            &uint(credit),
        ]);
        self.write(0, &described(FLOW, &fields), &[]).await;
    }

    /// Sends one transfer of a delivery.
    pub(crate) async fn transfer(&mut self, handle: u32, id: u32, payload: &[u8], more: bool) {
        let more = if more { TRUE } else { FALSE };
        let tag = binary(&id.to_be_bytes());
        let fields = list(&[&uint(handle), &uint(id), &tag, &uint(0), FALSE, more]);
        self.write(0, &described(TRANSFER, &fields), payload).await;
    }

    /// Sends a whole delivery and gives what became of it.
    pub(crate) async fn send(&mut self, handle: u32, id: u32, payload: &[u8]) -> Vec<u8> {
        self.transfer(handle, id, payload, false).await;
        self.until(DISPOSITION).await
    }

    /// Answers a delivery with an outcome, and gives what became of that.
    pub(crate) async fn settle(&mut self, id: u32, outcome: u8) -> Vec<u8> {
        let outcome = described(outcome, &[0x45]);
        let fields = list(&[TRUE, &uint(id), NULL, FALSE, &outcome]);
        self.write(0, &described(DISPOSITION, &fields), &[]).await;
        self.until(DISPOSITION).await
    }
}
